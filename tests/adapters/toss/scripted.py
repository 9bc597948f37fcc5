"""A local HTTP server with scripted answers, in order."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    cut_off: bool = False
    """The connection breaks in the middle of the body."""


class Script:
    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self.called = threading.Event()
        """Set by the first call."""
        self.released = threading.Event()
        """Until then a request without a reply waits."""
        self._replies: list[Reply] = []

    def json(self, status: int, body: Any) -> None:
        self.raw(status, json.dumps(body).encode())

    def raw(self, status: int, body: bytes, *, cut_off: bool = False) -> None:
        self._replies.append(Reply(status, body, cut_off))

    def reply(self, call: Call) -> Reply:
        self.calls.append(call)
        self.called.set()
        if not self._replies:
            self.released.wait(20)
            return Reply(503, b"")
        return self._replies.pop(0)


@contextmanager
def scripted_server() -> Iterator[Script]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.script = Script(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.script
        finally:
            server.script.released.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    script: Script


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.script.reply(
            Call(self.command, self.path, headers, json.loads(content) if content else None)
        )
        try:
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body) + (1 if reply.cut_off else 0)))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = reply.cut_off
        except OSError:
            self.close_connection = True  # who asked has gone

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass
