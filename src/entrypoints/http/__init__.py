"""The service over HTTP: controllers by noun around the use cases and readers."""
