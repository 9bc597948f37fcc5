"""The payment provider of a service that sells nothing: production without a provider's key."""
