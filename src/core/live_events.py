"""Streams of what happens to a thing: its present state, then each change, as long as the watcher is signed in."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import msgspec

from core.accounts.repository import Sessions
from core.ports import changes
from core.ports.changes import Changes, Topic
from core.ports.clock import Clock
from core.requester import Requester

HEARTBEAT = timedelta(seconds=15)
"""After which a watcher looks even if nothing was told, and shows that the stream is alive."""


class Event(msgspec.Struct, frozen=True):
    name: Literal["status", "progress", "notification"]
    id: str
    """By which whoever comes back says what they know already."""
    data: msgspec.Struct
    """The view that a reader answers."""


Events = AsyncGenerator[Event | None, None]
"""None: nothing new, but the stream is alive."""


class State(msgspec.Struct, frozen=True):
    """What a look has shown of something that comes to an end."""

    status: str
    version: str
    """Differs when it has moved on; not for each fresh signature of a URL."""
    ended: bool
    view: msgspec.Struct


class Watcher(msgspec.Struct, frozen=True):
    """Who watches, and the hash of the token of the session that lets them."""

    requester: Requester
    session: bytes


@dataclass(frozen=True, slots=True)
class Pace:
    """When a stream looks, and how many do at once."""

    heartbeat: timedelta = HEARTBEAT
    chance: Callable[[], float] = lambda: 0.0
    """From 0 to 1, different each time: those that were told at once must not go on to beat at once."""
    turn: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)
    """Held by who looks: when all are told at once, others are to get at the database as well."""

    def rest(self) -> timedelta:
        """For how long a stream waits to be told before it looks by itself: half a heartbeat to a whole one."""
        return self.heartbeat * (1 - self.chance() / 2)


@dataclass(frozen=True, slots=True)
class Watch:
    """Keep looking for as long as the watcher's session lasts. Between two looks nothing is held but memory."""

    changes: Changes
    sessions: Sessions
    clock: Clock
    pace: Pace

    async def __call__(self, topic: Topic, watcher: Watcher | None) -> AsyncGenerator[None, None]:
        """Yields when it is time to look: at once, whenever something may have changed, and at each heartbeat.

        The session is looked up when it may have ended and at each heartbeat. Nobody's stream ends by itself.
        """
        session = changes.session(watcher.session) if watcher else None
        with self.changes.subscribe(*filter(None, (topic, session))) as subscription:
            yield
            while True:
                changed = await subscription.changed(within=self.pace.rest())
                if watcher and (not changed or session in changed) and not await self._signed_in(watcher):
                    return
                yield

    async def until_ended(
        self, topic: Topic, watcher: Watcher | None, look: Callable[[], Awaitable[State]], *, known: str | None
    ) -> Events:
        """Events with a view each, until what is looked at has ended; the version `known` is not told again.

        Raises what `look` raises.
        """
        status = None
        async with aclosing(self(topic, watcher)) as looks:
            async for _ in looks:
                async with self.turn:
                    seen = await look()
                if seen.version != known:
                    yield Event("progress" if seen.status == status else "status", seen.version, seen.view)
                elif not seen.ended:
                    yield None
                if seen.ended:
                    return
                known, status = seen.version, seen.status

    @property
    def turn(self) -> AbstractAsyncContextManager[object]:
        """To be held while looking, and no longer: what was seen may be slow to leave."""
        return self.pace.turn

    async def _signed_in(self, watcher: Watcher) -> bool:
        async with self.turn:
            return await self.sessions.requester(watcher.session, at=self.clock.now()) is not None
