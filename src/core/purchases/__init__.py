"""Buying tokens: exactly one credit for each captured payment of the right amount, none otherwise."""
