"""The processes of a test run: started once, shared by its workers, stopped at its end.

A run that was killed cannot stop anything; the next run does it.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

VARIABLE = "STYLE_LICENSE_TEST_RUN"  # xdist's workers inherit it
PREFIX = "style-license-tests-"
OWNER = "owner"
STOPS_WITHIN = 10.0


def begin() -> None:
    """Create the run's directory; stop the processes and remove the files of killed runs."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (left / OWNER).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _stop_all(left)
    unowned = Path(tempfile.mkdtemp(prefix="new-"))
    unowned.chmod(0o755)
    # The lock goes when this process goes, in whatever way. No other process sees the directory before it is locked.
    fcntl.flock(os.open(unowned / OWNER, os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)
    directory = unowned.rename(unowned.with_name(PREFIX + unowned.name.removeprefix("new-")))
    os.environ[VARIABLE] = str(directory)


def end() -> None:
    """Stop everything that any worker of this run has started."""
    _stop_all(run_directory())


def run_directory() -> Path:
    return Path(os.environ[VARIABLE])


def once(name: str, start: Callable[[Path], Mapping[str, str]]) -> Mapping[str, str]:
    """Return what `start` has returned to the first worker that asked; the others wait for it."""
    directory = run_directory() / name
    with locked(name):
        facts = run_directory() / f"{name}.json"
        if not facts.exists():
            directory.mkdir(exist_ok=True)
            facts.write_text(json.dumps(dict(start(directory))))
        found: Mapping[str, str] = json.loads(facts.read_text())
        return found


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    with (run_directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stop_process_at_end(pid: int, ask_with: signal.Signals) -> None:
    """Stop this process cleanly at the end; others are killed."""
    born = psutil.Process(pid).create_time()
    _remember({"pid": pid, "born": born, "signal": int(ask_with)})


def run_command_at_end(command: Sequence[str]) -> None:
    _remember({"command": list(command)})


def stop_process(pid: int, ask_with: signal.Signals = signal.SIGTERM) -> None:
    """Terminate it, kill it after a while. Does nothing if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(ask_with)
        process.send_signal(signal.SIGCONT)  # a stopped process would not handle SIGTERM
        if not _has_ended(process):
            process.kill()
            _has_ended(process)


def _has_ended(process: psutil.Process) -> bool:
    deadline = time.monotonic() + STOPS_WITHIN
    while time.monotonic() < deadline:
        # In a container PID 1 may reap processes late.
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def _remember(how: Mapping[str, object]) -> None:
    with (run_directory() / "stop").open("a") as file:
        file.write(json.dumps(how) + "\n")


def _stop_all(directory: Path) -> None:
    memory = directory / "stop"
    for line in reversed(memory.read_text().splitlines() if memory.exists() else []):
        how = json.loads(line)
        if "command" in how:
            subprocess.run(how["command"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elif _is_same_process(how["pid"], how["born"]):
            stop_process(how["pid"], signal.Signals(how["signal"]))
    for process in _descendants(directory):
        stop_process(process.pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)


def _descendants(directory: Path) -> Iterator[psutil.Process]:
    """Yield running processes of the run: they have inherited its environment variable."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(VARIABLE) == str(directory) and process.pid != os.getpid():
                yield process


def _is_same_process(pid: int, born: float) -> bool:
    try:
        return bool(psutil.Process(pid).create_time() == born)
    except psutil.NoSuchProcess:
        return False
