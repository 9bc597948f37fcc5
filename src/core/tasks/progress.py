def whole(number: float) -> float:
    """The same number as an int if it is whole, so that JSON has `42` instead of `42.0`."""
    return int(number) if float(number).is_integer() else number
