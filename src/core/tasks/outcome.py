"""Results reported by the AI servers."""

import msgspec

UNKNOWN = "UNKNOWN"
"""The code of a failure reported without one."""


class Failure(msgspec.Struct, frozen=True):
    code: str
    message: str


TIMED_OUT = Failure("TIMEOUT", "The AI servers reported no activity within the time-out.")


class Outcome(msgspec.Struct, frozen=True):
    """Whether a webhook changed anything, and the resulting status."""

    applied: bool
    status: str
