"""Stand-ins and embedded parts for development; never imported in production."""
