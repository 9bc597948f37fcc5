"""Generations: each is paid for once, and only if its image was made."""
