"""Tokens: whole numbers that move between accounts and are never made or lost on the way."""
