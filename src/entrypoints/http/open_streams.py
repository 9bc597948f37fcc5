"""The event streams that clients have open at this process."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Category, DomainError
from core.identifiers import UserId

PER_USER = 20
"""Streams that a user may have open at one process: more than the tabs that one person uses."""
IN_ALL = 8_000
"""Streams that may be open at one process: some of its connections are for calls that end."""


class TooManyStreams(DomainError):
    code = "TOO_MANY_STREAMS"
    category = Category.TOO_MANY


class OpenStreams:
    def __init__(self) -> None:
        self._open: Counter[UserId] = Counter()
        self._sending: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def open(self) -> int:
        """How many people have open."""
        return self._open.total()

    @contextmanager
    def place(self, user_id: UserId | None) -> Iterator[None]:
        """Raises TooManyStreams. Who is not signed in takes none: what they may see has ended, and so does a stream."""
        if user_id is None:
            yield
            return
        if self._open[user_id] >= PER_USER or self.open >= IN_ALL:
            raise TooManyStreams
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]

    def add(self, sending: asyncio.Task[None]) -> None:
        """To be ended when the streams are closed."""
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        if self._closed:
            sending.cancel()

    def close(self) -> None:
        """End all streams, and later ones after their first event: browsers reconnect, to another process."""
        self._closed = True
        for sending in self._sending:
            sending.cancel()
