"""Plays an artist and a buyer through the public HTTP API and prints what happens."""
