"""What can be wrong with a field. A message for each code is in the catalogues of `entrypoints/messages`."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    code: str
    values: dict[str, object] = {}
    """What the message names."""


CONTROL_CHARACTERS = Problem("CONTROL_CHARACTERS")
FOREIGN_OBJECT = Problem("FOREIGN_OBJECT")
INVALID_CURSOR = Problem("INVALID_CURSOR")
INVALID_EMAIL = Problem("INVALID_EMAIL")
INVALID_IMAGE = Problem("INVALID_IMAGE")
INVALID_MONTH = Problem("INVALID_MONTH")
INVALID_USERNAME = Problem("INVALID_USERNAME")
RESERVED_NAME = Problem("RESERVED_NAME")
INVISIBLE_CHARACTERS = Problem("INVISIBLE_CHARACTERS")
NO_VISIBLE_CHARACTER = Problem("NO_VISIBLE_CHARACTER")
UNKNOWN_TIME_ZONE = Problem("UNKNOWN_TIME_ZONE")


def too_long(maximum: int) -> Problem:
    return Problem("TOO_LONG", {"maximum": maximum})


def wrong_length(minimum: int, maximum: int) -> Problem:
    return Problem("WRONG_LENGTH", {"minimum": minimum, "maximum": maximum})


def blank_or_too_long(maximum: int) -> Problem:
    return Problem("BLANK_OR_TOO_LONG", {"maximum": maximum})


def too_many(maximum: int) -> Problem:
    """Items of a list."""
    return Problem("TOO_MANY", {"maximum": maximum})


def wrong_count(minimum: int, maximum: int) -> Problem:
    """Of items in a list."""
    return Problem("WRONG_COUNT", {"minimum": minimum, "maximum": maximum})


def wrong_number(minimum: int, maximum: int) -> Problem:
    return Problem("WRONG_NUMBER", {"minimum": minimum, "maximum": maximum})


def wrong_token_amount(minimum: int, maximum: int) -> Problem:
    return Problem("WRONG_TOKEN_AMOUNT", {"minimum": minimum, "maximum": maximum})


def not_after(other: str) -> Problem:
    """Not later than another field."""
    return Problem("NOT_AFTER", {"other": other})


def invalid_tag(tag: str) -> Problem:
    return Problem("INVALID_TAG", {"tag": tag})


def file_too_large(megabytes: int) -> Problem:
    return Problem("FILE_TOO_LARGE", {"megabytes": megabytes})


def side_too_long(maximum: int) -> Problem:
    """In pixels."""
    return Problem("SIDE_TOO_LONG", {"maximum": maximum})


def wrong_prefix(prefix: str) -> Problem:
    """Of an object's key."""
    return Problem("WRONG_PREFIX", {"prefix": prefix})
