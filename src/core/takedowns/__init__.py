"""Withdrawing a style, and what becomes of its generations."""
