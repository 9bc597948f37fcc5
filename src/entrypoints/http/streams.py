"""Server-sent events (HTML Standard, 9.2)."""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Scope, Send

from core.errors import DomainError
from core.live_events import StreamEvent, StreamEvents
from entrypoints.http.open_streams import OpenStreams
from entrypoints.http.state import state_of, user_of

MEDIA_TYPE = "text/event-stream"
TAKEN_WITHIN = 60.0
"""Seconds for a client to read an event. The operating system buffers some megabytes first, the process nothing."""
HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Cookie"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back until its buffer is full
]
ALIVE = b":\n\n"
"""A comment, for proxies that close idle connections."""
LAST_EVENT_ID = "Last-Event-ID"

_log = logging.getLogger(__name__)


class EventStream(Response[None]):
    """A response that lasts until the events end, the client disconnects, or the process stops.

    A refusal of the first event refuses the call. Without any event it is 204, after which browsers do not reconnect.
    """

    def __init__(self, events: StreamEvents) -> None:
        super().__init__(None, media_type=MEDIA_TYPE)
        self._events = events

    def to_asgi_response(self, *_args: Any, **_options: Any) -> ASGIResponse:
        return _Streaming(self._events)


class _Streaming(ASGIResponse):
    def __init__(self, events: StreamEvents) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams = state_of(scope["app"]).streams
        user = user_of(scope)
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


async def _follow(
    first: StreamEvent | None, events: StreamEvents, streams: OpenStreams, receive: Receive, send: Send
) -> None:
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
        _log.log(level, "stream failed", exc_info=error)


async def _send(first: StreamEvent | None, events: StreamEvents, send: Send) -> None:
    """One event at a time: changes during a slow write are read once, after it."""
    await _send_event(first, send)
    async for event in events:
        await _send_event(event, send)


async def _send_event(event: StreamEvent | None, send: Send) -> None:
    """Raises TimeoutError if the client reads nothing."""
    async with asyncio.timeout(TAKEN_WITHIN):
        await send(_part(event))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _part(event: StreamEvent | None) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": encoded(event) if event else ALIVE, "more_body": True}


def encoded(event: StreamEvent) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (
        event.name.encode(),
        event.id.encode(),
        msgspec.json.encode(event.data),  # on one line
    )
