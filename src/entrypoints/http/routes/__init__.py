"""The routes by noun: controllers that call use cases and readers."""
