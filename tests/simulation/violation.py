class Violation(Exception):
    """An invariant does not hold."""
