"""What the domain needs from the world: one port a file, each a Protocol whose docstrings are promises."""
