"""Plays the main flow, or the day of an operator, on a running service and prints what happens."""
