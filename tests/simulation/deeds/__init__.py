"""What people do, each at several screens at once: they race for their own tokens."""
