"""Connections to a real server, on which a test sends whatever it likes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec

from entrypoints import server
from tests.support.ports import free_port

ENOUGH = 10.0
"""Seconds after which a test fails instead of waiting on."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def begin(self, call: str, *headers: str, length: int | None = None) -> None:
        lines = [f"{call} HTTP/1.1", "Host: localhost", *headers]
        lines += [] if length is None else [f"Content-Length: {length}"]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, content: bool = True) -> Answer:
        async with asyncio.timeout(ENOUGH):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0"))) if content else b""
        return Answer(int(head[0].split()[1]), headers, body)

    async def closed(self) -> bool:
        async with asyncio.timeout(ENOUGH):
            return await self.reader.read(1) == b""


class Server:
    def __init__(self, port: int) -> None:
        self._port = port

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(application: Any, settings: Any) -> AsyncIterator[Server]:
    stop, started = asyncio.Event(), asyncio.Event()
    port = free_port()
    settings = msgspec.structs.replace(settings, host="127.0.0.1", port=port)
    task = asyncio.create_task(
        server.serve(application, settings, stop=stop, started=started.set, stopping=lambda: None)
    )
    await started.wait()
    try:
        yield Server(port)
    finally:
        stop.set()
        await task
