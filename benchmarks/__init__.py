"""How fast the service is, measured beside what it could be at most on the same machine in the same run."""
