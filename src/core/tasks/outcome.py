"""What comes back from the AI servers."""

import msgspec

UNKNOWN = "UNKNOWN"
"""The code of a failure that was reported without one."""


class Failure(msgspec.Struct, frozen=True):
    code: str
    message: str


TIMED_OUT = Failure("TIMEOUT", "The AI servers gave no sign of life for too long.")


class Outcome(msgspec.Struct, frozen=True):
    """What an AI server's call did: whether it changed anything, and the state that it left."""

    applied: bool
    status: str
