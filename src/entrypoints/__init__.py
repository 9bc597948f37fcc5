"""Ways in: the HTTP API, the relay and the command line; and the one place where adapters are chosen."""
