"""`python -m adapters.pillow.forked SOCKET`: the process that image workers are forked from, and the workers.

It is small and has imported what they need, so that a worker is there within milliseconds.
"""

import gc
import math
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import adapters.pillow.decoding  # noqa: F401 - every worker has it from the start

NUMBER = struct.Struct("<i")
"""A request: with a socket, the niceness of a worker to fork; without, the id of one to end.

An answer: the id of the worker, or its wait status.
"""


class Limits(NamedTuple):
    cpu_seconds: int = 15
    """Of an image; the largest accepted takes a third."""
    seconds: float = 60.0
    """Until a call is answered, on a machine with little time to spare."""
    memory: int = 1024 * 1024 * 1024
    """Bytes of address space of a worker."""


class Sender(NamedTuple):
    """As a file to write to."""

    write: Callable[[bytes], object]


def main() -> None:
    """Answer requests until the service closes its end of the socket or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.freeze()  # what is shared with the workers stays shared
    while True:
        request, sockets, _, _ = socket.recv_fds(control, NUMBER.size, 1)
        if not request:
            return
        [number] = NUMBER.unpack(request)
        answer = _fork(control, sockets[0], number) if sockets else _end(number)
        control.sendall(NUMBER.pack(answer))


def _fork(control: socket.socket, connection: int, niceness: int) -> int:
    """Return the id of a new worker at the other end of the connection."""
    worker = os.fork()
    if not worker:
        control.close()
        _work(socket.socket(fileno=connection), niceness)
    os.close(connection)
    return worker


def _end(worker: int) -> int:
    """Return its wait status: of what had ended it before, if anything had."""
    os.kill(worker, signal.SIGKILL)
    return os.waitpid(worker, 0)[1]


def _work(connection: socket.socket, niceness: int) -> NoReturn:
    """Be a worker, until the service closes its end of the connection or ends."""
    try:
        os.nice(niceness)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open(os.devnull, "w") as nowhere:  # decoders may print
            os.dup2(nowhere.fileno(), sys.stderr.fileno())
        with connection.makefile("rb") as requests:
            while requests.peek(1):
                limits, function, arguments = pickle.load(requests)  # noqa: S301 - the service is trusted
                pickle.dump(_answer(limits, function, arguments), Sender(connection.sendall))
                del arguments
    finally:
        os._exit(0)


def _answer(limits: Limits, function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[bool, object]:
    """Whether it returned, and what it returned or raised. The system kills the worker when the time is used up."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, resource.RLIM_INFINITY))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + limits.cpu_seconds, resource.RLIM_INFINITY))
    try:
        return True, function(*arguments)
    except BaseException as error:
        return False, error
    finally:  # what comes before the next function is not counted
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
