import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from entrypoints.refused import Refused
from entrypoints.settings import Settings

STARTS_WITHIN = 90.0
STOPS_WITHIN = 20.0


@contextlib.contextmanager
def running_service(settings: Settings) -> Iterator[None]:
    """The service at the settings' address; where none answers one is started, and stopped in the end."""
    if _answers(settings.api_base_url):
        print(f"Using the service at {settings.api_base_url}.")
        yield
        return
    if urlsplit(settings.api_base_url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise Refused(f"Nothing answers at {settings.api_base_url}.")
    print(f"Nothing answers at {settings.api_base_url}: starting the service for this demo ...", flush=True)
    log = settings.data_dir / "demo" / "service.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "entrypoints.cli", "run"]
    # In a session of its own: a Ctrl-C is for the demo, which then stops the service in good order.
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as service,  # noqa: S603
    ):
        try:
            _wait_for(settings.api_base_url, service, log)
            yield
        finally:
            service.send_signal(signal.SIGINT)
            try:
                service.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                service.kill()


def _wait_for(base: str, service: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not _answers(base):
        if service.poll() is not None:
            raise Refused(f"The service did not start:\n{log.read_text(errors='replace')}")
        if time.monotonic() > deadline:
            raise Refused(f"The service did not answer within {STARTS_WITHIN:.0f} s.")
        time.sleep(0.1)


def _answers(base: str) -> bool:
    """Raises Refused when somebody else answers there."""
    try:
        answer = httpx.get(f"{base}/api/health/live", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    if answer.status_code != httpx.codes.OK or "X-Trace-Id" not in answer.headers:
        raise Refused(f"Something else answers at {base}. PORT=8001 make demo takes another port.")
    return True
