"""The HTTP API, the relay and the command line, and the container, which chooses the adapters."""
