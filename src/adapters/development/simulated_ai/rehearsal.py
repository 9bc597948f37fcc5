"""Tags that simulate failures of an AI server.

As a tag of a style they act on its training, as a prompt tag on the generation:

- `simulate-failure`: fails half-way and is not retried; a generation is refunded.
- `simulate-out-of-memory`: the first attempt at a generation runs out of memory, the next one succeeds.
- `simulate-failed-attempts`: two of the inference server's own attempts fail, the third succeeds.
- `simulate-no-attempts-left`: all three fail; the generation is refunded.
- `simulate-silence`: starts and then sends no more webhooks.
"""

FAILURE = "simulate-failure"
OUT_OF_MEMORY = "simulate-out-of-memory"
FAILED_ATTEMPTS = "simulate-failed-attempts"
NO_ATTEMPTS_LEFT = "simulate-no-attempts-left"
STALL = "simulate-silence"


class AttemptFailed(Exception):
    """An attempt failed; another one may succeed."""


class Failed(Exception):
    """The task failed; `code` is one of those that the service knows."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class Stalled(Exception):
    """The server stops reporting."""
