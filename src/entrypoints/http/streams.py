"""Events as browsers follow them (HTML Standard, 9.2 Server-sent events)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Scope, Send

from core.errors import Category, DomainError
from core.identifiers import UserId
from core.live_events import Event, Events

MEDIA_TYPE = "text/event-stream"
PER_USER = 20
"""Streams that somebody may have open at one process: more than tabs that anybody looks at."""
IN_ALL = 8_000
"""Streams that may be open at one process: some of its connections are for calls that end."""
TAKEN_WITHIN = 60.0
"""Seconds for a client to take an event. The system buffers some megabytes for it first, and the process nothing."""
HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Cookie"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back until its buffer is full
]
ALIVE = b":\n\n"
"""A comment: for proxies that close what is silent."""
LAST_EVENT_ID = "Last-Event-ID"
EVENTS = "events"
"""A route's option: the names of its events. What their data is like, `answers` tells."""

_log = logging.getLogger(__name__)


class TooManyStreams(DomainError):
    code = "TOO_MANY_STREAMS"
    category = Category.TOO_MANY


class Streams:
    """Those that are open in this process."""

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
        """End all, and what is opened from now on after its first event: browsers come back, to another process."""
        self._closed = True
        for sending in self._sending:
            sending.cancel()


class EventStream(Response[None]):
    """An answer that goes on until the events end, the client goes, or the process stops.

    What refuses the first event refuses the call. Without any event it is 204, which tells browsers not to come back.
    """

    def __init__(self, events: Events) -> None:
        super().__init__(None, media_type=MEDIA_TYPE)
        self._events = events

    def to_asgi_response(self, *_args: Any, **_options: Any) -> ASGIResponse:
        return _Streaming(self._events)


class _Streaming(ASGIResponse):
    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams: Streams = scope["app"].state.streams
        user = scope.get("user")
        with streams.place(user.id if user else None):
            async with aclosing(self._events) as events:
                try:
                    first = await anext(events)
                except StopAsyncIteration:
                    await send({"type": "http.response.start", "status": 204, "headers": []})
                else:
                    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                    await _follow(first, events, streams, receive, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _follow(first: Event | None, events: Events, streams: Streams, receive: Receive, send: Send) -> None:
    sending = asyncio.create_task(_send(first, events, send))
    streams.add(sending)
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        gone.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)
    if not sending.cancelled() and (error := sending.exception()):
        level = logging.INFO if isinstance(error, (DomainError, TimeoutError)) else logging.ERROR
        _log.log(level, "a stream broke", exc_info=error)


async def _send(first: Event | None, events: Events, send: Send) -> None:
    """One at a time: what happens while a client is slow is looked at once, when it has taken what it has."""
    await _tell(first, send)
    async for event in events:
        await _tell(event, send)


async def _tell(event: Event | None, send: Send) -> None:
    """Raises TimeoutError when the client takes nothing."""
    async with asyncio.timeout(TAKEN_WITHIN):
        await send(_part(event))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _part(event: Event | None) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": encoded(event) if event else ALIVE, "more_body": True}


def encoded(event: Event) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (
        event.name.encode(),
        event.id.encode(),
        msgspec.json.encode(event.data),  # on one line
    )
