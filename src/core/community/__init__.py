"""Follows, likes and comments."""
