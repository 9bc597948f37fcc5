import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from adapters.rabbitmq.connection import Address
from tests.support.rabbitmq import VirtualHost


class Proxy:
    """A TCP proxy in front of the broker that can be cut, or frozen: connections stay open and nothing passes.

    With `tls` it is to its clients a broker with TLS.
    """

    def __init__(self, host: VirtualHost, *, tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._tls = tls
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._held = b""
        self._more = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Address]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port: int = server.sockets[0].getsockname()[1]
        yield replace(self._host.address, host="127.0.0.1", port=port)
        server.close()
        self.thaw()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    async def holds(self, text: bytes) -> None:
        """Wait until it is frozen with these bytes received and not passed on."""
        while text not in self._held:
            self._more.clear()
            await self._more.wait()

    def cut(self) -> None:
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(self._host.host, self._host.port)
        self._open |= {writer, out}
        for pump in (self._pump(reader, out), self._pump(there, writer)):
            self._pumps.add(asyncio.create_task(pump))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self._thawed.is_set():
                self._held += data
                self._more.set()
            await self._thawed.wait()
            target.write(data)
            await target.drain()
        target.close()
