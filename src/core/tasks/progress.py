def whole(number: float) -> float:
    """The same number; an int where it is whole, so that JSON shows `42` and not `42.0`."""
    return int(number) if float(number).is_integer() else number
