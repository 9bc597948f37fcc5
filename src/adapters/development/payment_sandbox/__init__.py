"""Toss Payments for development: its API and a page where one pays or declines. No money anywhere."""
