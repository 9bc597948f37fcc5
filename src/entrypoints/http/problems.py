"""What can be wrong with a field as HTTP carries it, and what msgspec finds wrong with one."""

import re

from core.problems import Problem

DATA_URL_REQUIRED = Problem("DATA_URL_REQUIRED")
FILE_REQUIRED = Problem("FILE_REQUIRED")
INVALID_BASE64 = Problem("INVALID_BASE64")
INVALID_IDEMPOTENCY_KEY = Problem("INVALID_IDEMPOTENCY_KEY")
INVALID_LOCATION = Problem("INVALID_LOCATION")
INVALID_VALUE = Problem("INVALID_VALUE")
NESTED_TOO_DEEPLY = Problem("NESTED_TOO_DEEPLY")
NOT_UTF8 = Problem("NOT_UTF8")
NUL_CHARACTER = Problem("NUL_CHARACTER")
REPEATED_FIELD = Problem("REPEATED_FIELD")
REQUIRED = Problem("REQUIRED")
TEXT_REQUIRED = Problem("TEXT_REQUIRED")
TIME_OUT_OF_RANGE = Problem("TIME_OUT_OF_RANGE")
UNKNOWN_FIELD = Problem("UNKNOWN_FIELD")


def one_per_image(expected: int, received: int) -> Problem:
    return Problem("ONE_PER_IMAGE", {"expected": expected, "received": received})


def wrong_period(days: int) -> Problem:
    """From one day to another, both included."""
    return Problem("WRONG_PERIOD", {"days": days})


MSGSPEC = {
    code: re.compile(pattern, re.DOTALL)
    for code, pattern in {
        "WRONG_TYPE": r"Expected `(?P<expected>[^`]+)`, got `(?P<received>[^`]+)`",
        "LENGTH_BELOW_MINIMUM": r"Expected `(?P<type>\w+)` of length >= (?P<minimum>\d+)",
        "LENGTH_ABOVE_MAXIMUM": r"Expected `(?P<type>\w+)` of length <= (?P<maximum>\d+)",
        "BELOW_MINIMUM": r"Expected `(?P<type>\w+)` >= (?P<minimum>\S+)",
        "ABOVE_MAXIMUM": r"Expected `(?P<type>\w+)` <= (?P<maximum>\S+)",
        "NOT_GREATER": r"Expected `(?P<type>\w+)` > (?P<bound>\S+)",
        "NOT_LESS": r"Expected `(?P<type>\w+)` < (?P<bound>\S+)",
        "PATTERN_MISMATCH": r"Expected `(?P<type>\w+)` matching regex (?P<pattern>.+)",
        "NO_TIME_ZONE": r"Expected `(?P<type>\w+)` with a timezone component",
        "INTEGER_OUT_OF_RANGE": r"Integer value out of range",
        "INVALID_DATETIME": r"Invalid RFC3339 encoded datetime",
        "INVALID_DATE": r"Invalid RFC3339 encoded date",
        "UNKNOWN_VALUE": r"Invalid (?:enum )?value (?P<value>.+)",
        "UNEXPECTED_FIELD": r"Object contains unknown field `(?P<field>.+)`",
        "MISSING_FIELD": r"Object missing required field `(?P<field>.+)`",
    }.items()
}
"""By code, the texts of msgspec's ValidationErrors, without the path at their end."""


def problem_of_msgspec(text: str) -> Problem:
    """INVALID_VALUE for a text that is none of these."""
    for code, pattern in MSGSPEC.items():
        if found := pattern.fullmatch(text):
            return Problem(code, dict(found.groupdict()))
    return INVALID_VALUE
