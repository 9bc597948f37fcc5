"""Signals that stop a process: Ctrl-C, a terminal that closes, a supervisor."""

import asyncio
import signal
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """Raise KeyboardInterrupt at the first signal and ignore further ones, so that cleaning up is not interrupted."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in _heeded():
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def stop_event() -> asyncio.Event:
    """An event of the running loop that the signals set."""
    stop = asyncio.Event()
    for number in _heeded():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _heeded() -> list[signal.Signals]:
    """Without SIGHUP if the process was started with nohup."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _STOPPING if number is not signal.SIGHUP or not nohup]
