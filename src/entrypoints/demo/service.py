import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from entrypoints.command_failed import CommandFailed
from entrypoints.development import service_url
from entrypoints.settings import Settings

STARTS_WITHIN = 90.0
STOPS_WITHIN = 20.0


@contextlib.contextmanager
def running_service(settings: Settings, **variables: str) -> Iterator[str]:
    """The URL of a service: the one that API_BASE_URL names, or runs on the data directory, or answers at the settings'
    address. If there is none, one is started, with these variables besides, and stopped in the end.

    Raises CommandFailed.
    """
    base = settings.api_base_url
    if base == settings.local_url and (running := service_url(settings)):
        if not _begins_to_answer(running, lambda: service_url(settings) == running):
            raise CommandFailed(f"The service at {running} has ended before it answered.")
        base = running
    elif not _answers(base):
        if urlsplit(base).hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise CommandFailed(f"Nothing answers at {base}.")
        print(f"Nothing answers at {base}: starting the service for this demo ...", flush=True)
        with _started(settings, variables):
            yield base
        return
    print(f"Using the service at {base}.")
    yield base


@contextlib.contextmanager
def _started(settings: Settings, variables: Mapping[str, str]) -> Iterator[None]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = settings.data_dir / "demo" / "service.log"
    log.parent.mkdir(exist_ok=True)
    changed = [f"{name}={value}" for name, value in variables.items()]
    command = ["/usr/bin/env", *changed, sys.executable, "-m", "entrypoints.cli", "run"]
    # In its own session: Ctrl-C reaches only the demo, which then stops the service.
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as service,  # noqa: S603
    ):
        try:
            if not _begins_to_answer(settings.api_base_url, lambda: service.poll() is None):
                raise CommandFailed(f"The service has not started: {_last_line(log)} (its log: {log})")
            yield
        finally:
            service.send_signal(signal.SIGINT)
            try:
                service.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                service.kill()


def _begins_to_answer(base: str, runs: Callable[[], bool]) -> bool:
    """False if it has ended before. Raises CommandFailed when it takes too long."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not _answers(base):
        if not runs():
            return False
        if time.monotonic() > deadline:
            raise CommandFailed(f"The service at {base} did not answer within {STARTS_WITHIN:.0f} s.")
        time.sleep(0.1)
    return True


def _answers(base: str) -> bool:
    """Raises CommandFailed if another program answers there."""
    try:
        answer = httpx.get(f"{base}/api/health/live", timeout=5, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    if answer.status_code != httpx.codes.OK or "X-Trace-Id" not in answer.headers:
        raise CommandFailed(f"Something else answers at {base}. Choose another port: PORT=8001 make demo")
    return True


def _last_line(log: Path) -> str:
    return next(
        (line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "it says nothing"
    )
