"""Earnings that artists have turned into money."""
