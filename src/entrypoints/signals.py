"""How a process is told to stop: Ctrl-C, a terminal that closes, a supervisor."""

import asyncio
import signal
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """From now on the first of the signals raises KeyboardInterrupt; what is cleared up then is left in peace."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in _heeded():
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def stop_event() -> asyncio.Event:
    """An event that the signals set, for as long as the running loop runs."""
    stop = asyncio.Event()
    for number in _heeded():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _heeded() -> list[signal.Signals]:
    """Whoever starts a service with nohup wants it to outlive the terminal."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _STOPPING if number is not signal.SIGHUP or not nohup]
