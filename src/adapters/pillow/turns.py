import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import msgspec

from core.identifiers import UserId


class _Call(msgspec.Struct, eq=False):
    user: UserId
    start: float
    """In virtual time: the time its user has been served, but not before that of the last call that was granted."""
    granted: asyncio.Future[None]


class Turns:
    """A fair queue: at most `places` turns at a time, one a user; next is the user who has been served least.

    Start-time fair queueing: a user who has not waited for a while has no advantage over those who come now.
    """

    def __init__(self, places: int, *, now: Callable[[], float] = monotonic) -> None:
        self._free = places
        self._now = now
        self._virtual = 0.0
        self._served: dict[UserId, float] = {}
        """In virtual time; users who are no longer ahead of it are left out."""
        self._running: set[UserId] = set()
        self._waiting: list[_Call] = []
        """In order of arrival."""

    @asynccontextmanager
    async def turn(self, user: UserId) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the block."""
        start = max(self._virtual, self._served.get(user, 0.0))
        call = _Call(user, start, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._grant()
        try:
            await call.granted
        except asyncio.CancelledError:
            if call.granted.cancelled():
                self._waiting.remove(call)
            else:  # granted and cancelled at once
                self._end(call, 0.0)
            raise
        began = self._now()
        try:
            yield
        finally:
            self._end(call, self._now() - began)

    def _end(self, call: _Call, seconds: float) -> None:
        self._served[call.user] = call.start + seconds
        for waiting in self._waiting:
            if waiting.user == call.user:
                waiting.start = max(waiting.start, self._served[call.user])
        self._free += 1
        self._running.discard(call.user)
        self._grant()

    def _grant(self) -> None:
        while self._free and (able := [call for call in self._waiting if call.user not in self._running]):
            call = min(able, key=lambda call: call.start)
            self._waiting.remove(call)
            self._free -= 1
            self._running.add(call.user)
            self._virtual = max(self._virtual, call.start)
            self._served = {user: served for user, served in self._served.items() if served > self._virtual}
            call.granted.set_result(None)
