"""Objects in the store, and purging those that are no longer referenced."""
