"""Simulated AI servers for development: the real wire protocol, with painted images instead of inference."""
