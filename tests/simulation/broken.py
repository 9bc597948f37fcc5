class Broken(Exception):
    """An invariant does not hold."""
