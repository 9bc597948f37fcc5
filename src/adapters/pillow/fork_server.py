"""Worker processes that are forked from a small process, because forking the service itself takes too long."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import cast

from adapters.pillow.forked import NUMBER, Limits, Sender

ANSWERS_WITHIN = 30.0
"""Seconds; the first answer comes when everything is imported."""


class WorkerEnded(Exception):
    """A worker ended before it answered."""

    def __init__(self, exit_code: int | None = None) -> None:
        super().__init__()
        self.exit_code = exit_code
        """As of `subprocess.Popen`, where it is known."""


class Worker:
    """A process that runs one function at a time; it ends with the service at the latest."""

    def __init__(self, process_id: int, connection: socket.socket, origin: "_Process") -> None:
        self._id = process_id
        self._connection = connection
        self._answers = connection.makefile("rb")
        self._origin = origin
        self.is_interrupted = False

    def call(self, limits: Limits, function: Callable[..., object], arguments: tuple[object, ...]) -> object:
        """What the function returns or raises; blocks until then. Raises WorkerEnded."""
        try:
            pickle.dump((limits, function, arguments), Sender(self._connection.sendall))
            returned, answer = pickle.load(self._answers)  # noqa: S301 - it runs as the same user
        except (OSError, EOFError, pickle.UnpicklingError):
            raise WorkerEnded from None
        if returned:
            return answer
        raise cast("BaseException", answer)

    def interrupt(self) -> None:
        """Make a running call raise WorkerEnded, without blocking. The worker has to be ended then."""
        self.is_interrupted = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> int | None:
        """Kill it, whatever it does; blocks. Its exit code as of `subprocess.Popen`, if that can be known."""
        self._answers.close()
        self._connection.close()
        try:
            return self._origin.end(self._id)
        except OSError:
            return None


class ForkServer:
    """Starts the process with the first worker, and again if it has ended. To be called from threads: it blocks."""

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._lock = Lock()

    def fork(self, *, niceness: int) -> Worker:
        """A new worker. Raises OSError."""
        with self._lock:
            if self._process:
                with suppress(OSError):
                    return self._process.fork(niceness)
                self._process.close()
            self._process = _Process()
            return self._process.fork(niceness)

    def close(self) -> None:
        """Workers have to be ended before."""
        with self._lock:
            if self._process:
                self._process.close()
                self._process = None


class _Process:
    """The process that workers are forked from, and that kills them: only it knows that an id is still its worker's."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(ANSWERS_WITHIN)
        self._lock = Lock()
        with theirs:
            # In the same session, since niceness does not count between sessions on Linux. Without the environment,
            # which has secrets, and without threads, which would not be forked.
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from users
                [sys.executable, "-P", "-m", "adapters.pillow.forked", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
            )

    def fork(self, niceness: int) -> Worker:
        """Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return Worker(self._ask(niceness, theirs), ours, self)
            except BaseException:
                ours.close()
                raise

    def end(self, worker: int) -> int:
        """Raises OSError."""
        return os.waitstatus_to_exitcode(self._ask(worker))

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, number: int, *sockets: socket.socket) -> int:
        """Raises OSError; after that, there are no more answers."""
        with self._lock:
            try:
                socket.send_fds(self._control, [NUMBER.pack(number)], [each.fileno() for each in sockets])
                answer = self._control.recv(NUMBER.size)
                if not answer:
                    raise ConnectionError("the process that forks image workers has ended")
            except OSError:
                self._control.close()
                raise
        [answered] = NUMBER.unpack(answer)
        return cast("int", answered)
