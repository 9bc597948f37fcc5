import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

from tests.support.ports import free_port


class LoadBalancer:
    """A load balancer in load_balancer of all servers: each connection goes to one that listens."""

    def __init__(self, ports: Sequence[int], random: Random) -> None:
        self._ports = ports
        self._random = random
        self._pumps: set[asyncio.Task[None]] = set()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
        try:
            yield
        finally:
            server.close()
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self._random.sample(self._ports, len(self._ports)):
            with suppress(OSError):
                there, out = await asyncio.open_connection("127.0.0.1", port)
                self._begin(reader, out)
                self._begin(there, writer)
                return
        writer.close()

    def _begin(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        pump = asyncio.create_task(_pump(source, target))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Closing one end closes the other one."""
    try:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
    finally:
        target.close()
