"""The measured processes."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

MEBIBYTE = 1024 * 1024
STARTS_WITHIN = 30.0
"""Seconds."""
STOPS_WITHIN = 10.0
ROOT = Path(__file__).parents[1]
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
"""The environment variables passed on to a server; settings of the surrounding environment are not."""


class NotRunning(Exception):
    """A server does not answer; the message has the end of its log."""


class Server(msgspec.Struct, frozen=True):
    port: int
    pid: int
    started_in: float
    """Seconds until the first 200."""

    @property
    def memory(self) -> int:
        """Bytes in use now."""
        resident: int = psutil.Process(self.pid).memory_info().rss
        return resident


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def server(module: str, *arguments: str, port: int, log: Path, environ: Mapping[str, str]) -> Iterator[Server]:
    """A process that serves on the port as long as the block runs. Raises NotRunning."""
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=Path(__file__).parent,  # not where an `.env` may be
            env=_kept() | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"} | dict(environ),
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the benchmark, which stops it
        )
    try:
        _wait_for(process, port, log)
        yield Server(port, process.pid, time.perf_counter() - began)
    except Exception as error:
        if process.poll() is None or isinstance(error, NotRunning):
            raise
        raise NotRunning(f"{module} has ended:\n{_end_of(log)}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.perf_counter() + STARTS_WITHIN
    while not _answers(port):
        if process.poll() is not None or time.perf_counter() > deadline:
            raise NotRunning(f"A server does not answer:\n{_end_of(log)}")
        time.sleep(0.02)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/health/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
