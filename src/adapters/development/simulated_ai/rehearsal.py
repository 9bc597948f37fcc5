"""Tags by which one can see what happens when an AI server fails.

As a tag of a style they act on its training, as a prompt tag on the generation:

- `simulate-failure`: fails for good half-way; a generation's tokens come back.
- `simulate-out-of-memory`: the first attempt at a generation runs out of memory, the next one succeeds.
- `simulate-failed-attempts`: two of the inference server's own attempts fail, the third succeeds.
- `simulate-no-attempts-left`: all three fail, and the generation's tokens come back.
- `simulate-silence`: begins, and is never heard of again.
"""

FAILURE = "simulate-failure"
OUT_OF_MEMORY = "simulate-out-of-memory"
FAILED_ATTEMPTS = "simulate-failed-attempts"
NO_ATTEMPTS_LEFT = "simulate-no-attempts-left"
SILENCE = "simulate-silence"


class AttemptFailed(Exception):
    """What another attempt at the same task may do better."""


class Failed(Exception):
    """The work cannot be done; `code` is one of those that the service knows."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class FellSilent(Exception):
    """The server is gone and says no more."""
