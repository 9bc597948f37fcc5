"""Objects in the store, and what becomes of those that nobody wants any more."""
