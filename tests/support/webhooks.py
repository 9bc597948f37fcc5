"""A local HTTP server that records webhooks."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    authorization: str | None
    source: str | None
    body: dict[str, Any]

    @property
    def event(self) -> str:
        return self.path.rpartition("/")[2]


class Webhooks:
    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self.status = 200
        """What the server answers."""
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()

    def of(self, event: str) -> list[Call]:
        return [call for call in self.calls if call.event == event]

    async def until(self, event: str, count: int = 1) -> None:
        """Return once a webhook has been called that many times."""
        async with asyncio.timeout(20):
            while len(self.of(event)) < count:
                self._told.clear()
                await self._told.wait()

    def take(self, call: Call) -> None:
        self.calls.append(call)
        self._loop.call_soon_threadsafe(self._told.set)


@contextlib.contextmanager
def recorded_webhooks() -> Iterator[Webhooks]:
    """For a running event loop: serve in a thread until the block is left."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.webhooks = Webhooks(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.webhooks
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    webhooks: Webhooks


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        call = Call(
            self.command,
            self.path,
            self.headers["Authorization"],
            self.headers["X-Request-Source"],
            json.loads(content),
        )
        self.server.webhooks.take(call)
        self.send_response(self.server.webhooks.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PATCH = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass
