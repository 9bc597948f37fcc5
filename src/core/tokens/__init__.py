"""Tokens: whole numbers, transferred between accounts."""
