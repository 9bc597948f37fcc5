"""Debts: tokens that were spent, and whose money was taken back."""
