"""Results reported by the AI servers."""

import msgspec

UNKNOWN = "UNKNOWN"
"""The code of a failure reported without one."""


class Failure(msgspec.Struct, frozen=True):
    code: str
    message: str
    details: dict[str, object] | None = None
    """Of a style whose artworks were refused: the file and its index, as in a refusal with this code."""


TIMED_OUT = Failure("TIMEOUT", "The AI servers reported no activity within the time-out.")


class Outcome(msgspec.Struct, frozen=True):
    """Whether a webhook changed anything, and the resulting status."""

    applied: bool
    status: str
