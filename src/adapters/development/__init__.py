"""Stand-ins and embedded services for development; never imported in production."""
