"""A service that sells nothing: production without a key for a payment provider."""
