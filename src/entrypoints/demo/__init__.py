"""Plays an artist and a buyer through the public HTTP API, as any client would, and shows what happens."""
