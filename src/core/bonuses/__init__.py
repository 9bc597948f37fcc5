"""Bonus tokens that admins give and take."""
