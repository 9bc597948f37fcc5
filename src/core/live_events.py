"""Event streams: the current state, then each change, for as long as the watcher's session lasts."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import msgspec

from core.ports import changes
from core.ports.active_sessions import ActiveSessions
from core.ports.changes import Changes, Topic
from core.ports.clock import Clock
from core.requester import Requester

HEARTBEAT = timedelta(seconds=15)
"""The interval at which a stream reads even without a notification, and shows that it is alive."""


class StreamEvent(msgspec.Struct, frozen=True):
    name: Literal["status", "progress", "notification"]
    id: str
    """Sent back by a reconnecting client to say which state it has."""
    data: msgspec.Struct
    """The view to send."""


StreamEvents = AsyncGenerator[StreamEvent | None, None]
"""None: a heartbeat without news."""


class State(msgspec.Struct, frozen=True):
    """The state of a watched object that has an end."""

    status: str
    version: str
    """Differs when the state has changed; not for each newly signed URL."""
    ended: bool
    view: msgspec.Struct


class Watcher(msgspec.Struct, frozen=True):
    """The requester, and the token hash of the session that authorizes the stream."""

    requester: Requester
    session: bytes


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """When a stream reads, and how many read at the same time."""

    heartbeat: timedelta = HEARTBEAT
    chance: Callable[[], float] = lambda: 0.0
    """Random number from 0 to 1: spreads the heartbeats of streams that were notified at the same time."""
    turn: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)
    """Held while reading, so that a mass notification does not occupy the whole database pool."""

    def rest(self) -> timedelta:
        """How long a stream waits for a notification before it reads anyway: half a heartbeat to a whole one."""
        return self.heartbeat * (1 - self.chance() / 2)


@dataclass(frozen=True, slots=True)
class Watch:
    """Runs a stream while the watcher's session lasts. Between two reads it holds nothing but memory."""

    changes: Changes
    sessions: ActiveSessions
    clock: Clock
    timing: StreamTiming

    async def __call__(self, topic: Topic, watcher: Watcher | None) -> AsyncGenerator[None, None]:
        """Yields when it is time to read: at once, after each notification, and at each heartbeat.

        The session is checked when it may have been revoked and at each heartbeat; the stream ends with it.
        """
        session = changes.session(watcher.session) if watcher else None
        with self.changes.subscribe(*filter(None, (topic, session))) as subscription:
            yield
            while True:
                changed = await subscription.changed(within=self.timing.rest())
                if watcher and (not changed or session in changed) and not await self._signed_in(watcher):
                    return
                yield

    async def until_ended(
        self, topic: Topic, watcher: Watcher | None, look: Callable[[], Awaitable[State]], *, known: str | None
    ) -> StreamEvents:
        """Events with a view each, until the state has ended; the version `known` is not sent again.

        Raises what `look` raises.
        """
        status = None
        async with aclosing(self(topic, watcher)) as looks:
            async for _ in looks:
                async with self.turn:
                    seen = await look()
                if seen.version != known:
                    yield StreamEvent("progress" if seen.status == status else "status", seen.version, seen.view)
                elif not seen.ended:
                    yield None
                if seen.ended:
                    return
                known, status = seen.version, seen.status

    @property
    def turn(self) -> AbstractAsyncContextManager[object]:
        """To be held while reading only, not while sending: clients may be slow."""
        return self.timing.turn

    async def _signed_in(self, watcher: Watcher) -> bool:
        async with self.turn:
            return await self.sessions.requester(watcher.session, at=self.clock.now()) is not None
