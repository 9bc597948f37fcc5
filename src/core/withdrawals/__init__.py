"""Withdrawals: payouts of artists' earnings."""
