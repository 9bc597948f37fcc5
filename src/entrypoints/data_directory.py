"""The directory in which a development machine keeps the service's state: which process uses it, how to reach that."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core.secret import Secret

UNKNOWN = "another process"


class Holder(msgspec.Struct, frozen=True):
    """The process that uses a data directory; commands that run beside it read here how to reach what it runs on."""

    command: str
    pid: int
    api_base_url: str | None = None
    """Where the service answers, or is about to; None if the process is not the service."""
    database_url: Secret | None = None
    """None until the database runs. It may contain a password; only the owner can read the file."""

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid})" if self.pid else self.command


class DataDirectory:
    """One process uses a data directory at a time.

    It holds a lock, which the operating system releases however the process ends, and describes itself in a file beside
    the lock. That file is removed at a clean stop; the one that a killed process leaves is ignored, since no process
    holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = path / "lock"
        self._file = path / "running.json"

    @contextlib.contextmanager
    def held(self, holder: Holder) -> Iterator[bool]:
        """Hold the directory until the block is left; False if another process does. Raises OSError.

        From then on the process and its children create files that only their owner may read.
        """
        os.umask(0o077)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            if not _locked(lock.fileno(), fcntl.LOCK_EX):
                yield False
                return
            self.describe(holder)
            try:
                yield True
            finally:
                self._file.unlink(missing_ok=True)

    def describe(self, holder: Holder) -> None:
        """Replace the holder's description atomically. Called by the holder only."""
        unfinished = self._file.with_suffix(".new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(msgspec.json.encode(holder, enc_hook=Secret.reveal))
        unfinished.rename(self._file)

    def holder(self) -> Holder | None:
        """The process that uses the directory now; None if none does."""
        try:
            with self._lock.open("rb") as lock:
                if _locked(lock.fileno(), fcntl.LOCK_SH):
                    return None
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Holder, dec_hook=lambda _, text: Secret(text))
        except (FileNotFoundError, msgspec.MsgspecError):
            return Holder(UNKNOWN, 0)  # it has only just taken the lock, or is just giving it back


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
