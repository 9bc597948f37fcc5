"""The load generator: a separate process, one thread, raw sockets, so that it costs little CPU.

Run as a module it reads one Load from standard input and writes one Measured to standard output, both as MessagePack.
"""

import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import cycle

import msgspec

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"
TIME_LIMIT = 10.0
"""Seconds without any answer after which the run fails."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    ports: list[int]
    """Connections are spread evenly over them."""
    requests: list[bytes]
    """Whole HTTP/1.1 requests, sent in turn, over and over unless `once`."""
    expected: int
    """The status that every answer must have."""
    seconds: float
    warm_up: float = 0.5
    """Seconds before those that count."""
    connections: int = 32
    rate: float | None = None
    """Requests a second; None for as many as possible."""
    once: bool = False
    """Send every request at most once, and end early when there is none left."""


class Measured(msgspec.Struct, frozen=True):
    answers: int
    """In the seconds that count."""
    all_answers: int
    """Those of the warm-up too."""
    seconds: float
    p50: float
    """Seconds."""
    p99: float
    """Seconds."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class Unexpected(Exception):
    """An unexpected answer, or none."""


def drive(load: Load) -> Measured:
    """Measure in a separate process. Raises Unexpected."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.msgpack.encode(load),
        capture_output=True,
        check=False,
        timeout=load.warm_up + load.seconds + 60,
    )
    if done.returncode:
        raise Unexpected(done.stderr.decode().strip().rpartition("\n")[2])
    return msgspec.msgpack.decode(done.stdout, type=Measured)


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIME_LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self._received = b""

    def ask(self, request: bytes, *, at: float) -> None:
        self.asked_at = at
        self.socket.sendall(request)

    def answered(self, expected: bytes) -> bool:
        """Read what has arrived; returns whether the answer is complete."""
        part = self.socket.recv(65536)
        if not part:
            raise Unexpected("the server closed a connection")
        self._received += part
        head_end = self._received.find(END_OF_HEAD)
        if head_end < 0:
            return False
        head = self._received[:head_end].lower()
        _, _, rest = head.partition(LENGTH)
        length = int(rest.partition(b"\r")[0] or 0)
        if len(self._received) < head_end + len(END_OF_HEAD) + length:
            return False
        if not head.startswith(expected):
            raise Unexpected(f"not {expected.decode()}but {self._received[:1000].decode(errors='replace')!r}")
        self._received = b""
        return True


def _measure(load: Load) -> Measured:
    ports = cycle(load.ports)
    with selectors.DefaultSelector() as selector:
        exchange = _Exchange(load, deque(_Connection(next(ports)) for _ in range(load.connections)))
        for connection in exchange.idle:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        exchange.run(selector)
    taken = sorted(exchange.taken)
    if not taken:
        raise Unexpected("nothing was measured: too few requests for this time")
    return Measured(
        len(taken),
        exchange.answers,
        exchange.until - exchange.counts_from,
        taken[len(taken) // 2],
        taken[len(taken) * 99 // 100],
    )


class _Exchange:
    """Sends requests, reads answers, and records the latency of each answer within the measured seconds.

    At a fixed rate a request counts from when it was due, even if no connection was free then: a slow answer does not
    hide those that come after it.
    """

    def __init__(self, load: Load, idle: deque[_Connection]) -> None:
        self.idle = idle
        self.taken: list[float] = []
        self.answers = 0
        self.now = self.due = time.perf_counter()
        self.counts_from = self.now + load.warm_up
        self.until = self.counts_from + load.seconds
        self._requests: Iterator[bytes] = iter(load.requests) if load.once else cycle(load.requests)
        self._expected = f"http/1.1 {load.expected} ".encode()
        self._interval = 1 / load.rate if load.rate else 0.0

    def run(self, selector: selectors.BaseSelector) -> None:
        connections = len(self.idle)
        while True:
            self._ask_what_is_due()
            over = self.now >= self.until
            if over and len(self.idle) == connections:
                return
            listens = over or not self.idle or not self._interval
            events = selector.select(TIME_LIMIT if listens else max(0.0, self.due - self.now))
            self.now = time.perf_counter()
            if listens and not events:
                raise Unexpected(f"no answer within {TIME_LIMIT:.0f} s")
            for key, _ in events:
                self._listen_to(key.data)

    def _ask_what_is_due(self) -> None:
        while self.idle and self.due <= self.now < self.until:
            request = next(self._requests, None)
            if request is None:
                self.until = self.now
                return
            self.idle.popleft().ask(request, at=self.due)
            self.due = self.due + self._interval if self._interval else self.now

    def _listen_to(self, connection: _Connection) -> None:
        if not connection.answered(self._expected):
            return
        self.now = time.perf_counter()
        self.answers += 1
        self.idle.append(connection)
        if self.counts_from <= self.now < self.until:
            self.taken.append(self.now - connection.asked_at)
        if not self._interval:
            self.due = self.now
        self._ask_what_is_due()


if __name__ == "__main__":
    try:
        measured = _measure(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Load))
    except (Unexpected, OSError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(measured))
