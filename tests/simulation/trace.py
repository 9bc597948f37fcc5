from collections import deque
from hashlib import blake2b

KEPT = 60


class Trace:
    """All events: the last ones as text, all of them in a digest."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=KEPT)
        self._digest = blake2b(digest_size=16)

    def add(self, event: str) -> None:
        self.last.append(event)
        self._digest.update(event.encode() + b"\n")

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()
