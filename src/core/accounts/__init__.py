"""Users and artists: identity, sign-in, profile."""
