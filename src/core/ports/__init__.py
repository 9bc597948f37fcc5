"""Ports: what the domain needs from outside, one per file. Docstrings state what every adapter promises."""
