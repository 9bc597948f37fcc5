"""Buying tokens with money: one credit for what was really paid, none for anything else."""
