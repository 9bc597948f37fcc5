"""What the demos print."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from entrypoints.command_failed import CommandFailed
from entrypoints.demo.person import Person

POLL = 1.0
"""Seconds; within the rate limit of a user."""
TIMEOUT = 300.0
"""Seconds for a training or a generation."""


def step(text: str) -> None:
    print(f"\n{text}", flush=True)


def tell(text: str) -> None:
    print(f"  {text}", flush=True)


def balance(person: Person) -> str:
    balance = person.ask("GET", "/api/tokens/balance")
    earned = balance["earned_token_balance"]
    held = f", {balance['held_tokens']} held" if balance["held_tokens"] else ""
    return f"{balance['token_balance']} tokens{held}" + ("" if earned is None else f", {earned} earned")


def watch(what: str, look: Callable[[], Any], status: str, count: str) -> Any:
    """Show the progress until the end. Raises CommandFailed if it failed."""
    line = Line()
    for seen in _looks(look):
        if seen[status] == "completed":
            line.show(f"{what}: completed", last=True)
            return seen
        if seen[status] in {"failed", "cancelled"}:
            line.show(f"{what}: {seen[status]}", last=True)
            raise CommandFailed(f"The {what} {seen[status]}: {seen.get('error_message') or seen.get('failure')}")
        line.show(_state(what, seen, seen[status], count))
    raise CommandFailed(
        f"The {what} has not ended after {TIMEOUT:.0f} s. Is an AI server running (AI_SERVERS=simulated)?"
    )


def _looks(look: Callable[[], Any]) -> Iterator[Any]:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        yield look()
        time.sleep(POLL)


def _state(what: str, seen: dict[str, Any], status: str, count: str) -> str:
    if progress := seen.get("progress"):
        of = f"{progress[count]}/{progress[count.replace('current', 'total') + 's']}"
        return f"{what}: {filled(progress['progress_percent'])}  {of}, {progress['estimated_seconds']} s left"
    if checking := seen.get("checking"):
        of = f"{checking['checked_files']}/{checking['total_files']} files"
        return f"checking: {filled(checking['progress_percent'])}  {of}"
    return f"{what}: {status} ..."


def filled(percent: float) -> str:
    full = round(percent / 4)
    return f"[{'#' * full}{'.' * (25 - full)}] {percent:3.0f} %"


class Line:
    """One changing line on a terminal, otherwise a line for each change."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str, *, last: bool = False) -> None:
        if sys.stdout.isatty():
            print(f"\r\x1b[2K  {text}", end="\n" if last else "", flush=True)
        elif text != self._shown:
            tell(text)
        self._shown = text
