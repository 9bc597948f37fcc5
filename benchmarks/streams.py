"""Streams: memory of an open stream, and the delay of an event after a webhook at another process."""

import http.client
import selectors
import socket
import statistics
import time
from itertools import cycle, islice

import msgspec

from benchmarks.scenarios.scenario import Request, as_browser
from benchmarks.scenarios.webhooks import bearer
from benchmarks.servers import MEBIBYTE, Server
from benchmarks.stage import Stage
from benchmarks.table import table
from benchmarks.users import Browser

STREAMS = 2000
WEBHOOKS = 500
TARGET = 0.100
"""Seconds from the webhook to the event."""
TIME_LIMIT = 10.0
KIBIBYTE = 1024


class Stuck(Exception):
    """An event did not arrive in time."""


class _Stream:
    """Of one image, open."""

    def __init__(self, port: int, browser: Browser, image: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIME_LIMIT)
        self.socket.sendall(as_browser(browser, "GET", f"/api/generations/{image}/events").raw)
        self._received = b""
        while b"\n\n" not in self._received and b'"success":false' not in self._received:
            self._read()
        if not self._received.startswith(b"HTTP/1.1 200 "):
            raise Stuck(self._received[:500].decode(errors="replace"))

    def received(self, step: int) -> bool:
        """Read what has arrived; returns whether this step is in it."""
        self._read()
        found = f'"current_step":{step},'.encode() in self._received
        if found:
            self._received = b""
        return found

    def _read(self) -> None:
        part = self.socket.recv(65536)
        if not part:
            raise Stuck("the server closed a stream")
        self._received += part


def report(stage: Stage) -> str:
    """Streams are open at the first process; the webhooks come to the last one."""
    here, there = stage.service[0], stage.service[-1]
    images = [(buyer, _asked_for(here, buyer, stage.users.styles[0])) for buyer in stage.users.buyers]
    before, began = here.memory, time.perf_counter()
    streams: dict[int, list[_Stream]] = {image: [] for _, image in images}
    for buyer, image in islice(cycle(images), STREAMS):
        streams[image].append(_Stream(here.port, buyer, image))
    opened_in, memory = time.perf_counter() - began, here.memory
    delays = sorted(_delays(stage, there, streams))
    rows = [
        [f"{STREAMS:,} streams at one process", ""],
        ["opened in", f"{opened_in:.1f} s"],
        ["memory of the process before", f"{before / MEBIBYTE:.0f} MB"],
        ["memory of the process with them", f"{memory / MEBIBYTE:.0f} MB"],
        ["memory of a stream", f"{(memory - before) / STREAMS / KIBIBYTE:.1f} KB"],
        [f"from a webhook at another process to the event ({len(delays):,} events), median", _ms(delays, 50)],
        ["99 of 100 within", _ms(delays, 99)],
        ["target", f"{TARGET * 1000:.0f} ms"],
        ["", "met" if _percentile(delays, 99) <= TARGET else "missed"],
    ]
    return table(rows)


def _asked_for(server: Server, buyer: Browser, style: int) -> int:
    body = {"style_id": style, "prompt_tags": ["portrait"], "aspect_ratio": "1:1"}
    answer = _call(server, as_browser(buyer, "POST", "/api/generations", body))
    image: int = msgspec.json.decode(answer)["data"]["id"]
    return image


def _delays(stage: Stage, there: Server, streams: dict[int, list[_Stream]]) -> list[float]:
    """Seconds for each event: one webhook after the other, each after all events of the previous one."""
    headers = {
        "Authorization": bearer(stage.settings),
        "X-Request-Source": "inference-server",
        "Content-Type": "application/json",
    }
    delays = []
    with selectors.DefaultSelector() as selector:
        for step, image in enumerate(islice(cycle(streams), WEBHOOKS), start=1):
            waiting = set(streams[image])
            for stream in waiting:
                selector.register(stream.socket, selectors.EVENT_READ, stream)
            progress = {"current_step": step, "total_steps": WEBHOOKS, "progress_percent": 1.0, "estimated_seconds": 9}
            body = msgspec.json.encode({"generation_id": image, "progress": progress})
            began = time.perf_counter()
            _call(there, Request("PATCH", "/api/webhooks/inference/progress", headers, body))
            while waiting:
                events = selector.select(TIME_LIMIT)
                if not events:
                    raise Stuck(f"no event within {TIME_LIMIT:.0f} s")
                for key, _ in events:
                    if key.data.received(step):
                        delays.append(time.perf_counter() - began)
                        waiting.discard(key.data)
                        selector.unregister(key.fileobj)
    return delays


def _call(server: Server, request: Request) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIME_LIMIT)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise Stuck(body.decode(errors="replace"))
    return body


def _percentile(delays: list[float], percent: int) -> float:
    return statistics.quantiles(delays, n=100, method="inclusive")[percent - 1]


def _ms(delays: list[float], percent: int) -> str:
    return f"{_percentile(delays, percent) * 1000:.1f} ms"
