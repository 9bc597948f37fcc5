"""The routes, by noun: controllers around the use cases and readers."""
