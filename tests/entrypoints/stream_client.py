"""A browser that reads a stream event by event: HTTPX would wait for its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from litestar import Litestar

TIME_LIMIT = 20.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    name: str
    id: str
    data: dict[str, Any]


class StreamClient:
    def __init__(self, app: Litestar, path: str, headers: Mapping[str, str], *, method: str = "GET") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self.takes = asyncio.Event()
        """Cleared while the browser is slow."""
        self.takes.set()
        self._parts: asyncio.Queue[bytes] = asyncio.Queue()
        self._begun = asyncio.Event()
        self._left = asyncio.Event()
        self._asked = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in {"Host": "api.example.com", **headers}.items()
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("api.example.com", 443),
        }
        self.call = asyncio.create_task(app(scope, self._receive, self._send))  # type: ignore[arg-type]

    async def begin(self) -> None:
        await self._within(self._begun.wait())

    async def event_or_comment(self) -> StreamEvent | None:
        """The next event, None for a comment."""
        lines = (await self._within(self._parts.get())).decode().splitlines()
        if lines[0].startswith(":"):
            return None
        fields = dict(line.split(": ", 1) for line in lines if line)
        return StreamEvent(fields["event"], fields["id"], json.loads(fields["data"]))

    async def event(self) -> StreamEvent:
        """The next event, after comments."""
        while True:
            if event := await self.event_or_comment():
                return event

    async def body(self) -> Any:
        """Of an answer that is no stream."""
        return json.loads(await self._within(self._parts.get()))

    async def end(self) -> None:
        """Return when the server has ended it."""
        await self._within(self.ended.wait())

    async def leave(self) -> None:
        """Return when the server has let go of it."""
        self._left.set()
        await self._within(asyncio.gather(self.call, return_exceptions=True))

    @property
    def unread(self) -> int:
        """What has come and was not looked at."""
        return self._parts.qsize()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            self._begun.set()
            return
        if message["body"]:
            self._parts.put_nowait(message["body"])
        if not message.get("more_body"):
            self.ended.set()
            self._left.set()

    @staticmethod
    async def _within(coming: Any) -> Any:
        async with asyncio.timeout(TIME_LIMIT):
            return await coming


@asynccontextmanager
async def streaming(
    app: Litestar, path: str, *, session: str | None = None, last: str | None = None, **headers: str
) -> AsyncIterator[StreamClient]:
    """Follow for as long as the block lasts; `last` is the id of the event that came last before."""
    if session:
        headers["Cookie"] = f"sessionid={session}"
    if last is not None:
        headers["Last-Event-ID"] = last
    stream = StreamClient(app, path, headers)
    try:
        await stream.begin()
        yield stream
    finally:
        await stream.leave()
