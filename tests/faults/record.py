"""Responses and reports seen by clients, AI servers and the payment page; the database must agree with them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ask:
    """A wanted generation: requested once, or with a key until there was a response."""

    marker: str
    """The one tag of its prompt; nothing else has it."""
    keyed: bool
    answered: set[int] = field(default_factory=set)
    """The ids in answers of 201."""
    refused: int = 0
    poor: bool = False
    """Whether it was refused for insufficient tokens."""
    open: int = 0
    """Number of lost or inconclusive responses."""


@dataclass(frozen=True, slots=True)
class Work:
    """A task that reached an AI server."""

    task_id: str
    kind: str
    subject: int
    """The image or the style."""
    attempt: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A completed generation or training that was reported and applied."""

    kind: str
    subject: int
    result: str


@dataclass(slots=True)
class Record:
    counts: Counter[str] = field(default_factory=Counter)
    asks: list[Ask] = field(default_factory=list)
    styles: set[int] = field(default_factory=set)
    comments: set[int] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    """Orders that the browser was shown as paid."""
    works: set[Work] = field(default_factory=set)
    completions: list[Completion] = field(default_factory=list)
    """Those that the service reported as applied."""
    results: set[tuple[int, str]] = field(default_factory=set)
    """Images and their keys, reported or not."""
    balances: dict[int, int] = field(default_factory=dict)
    """By user: the token balance that the service reports at the end."""
    uses: dict[int, int] = field(default_factory=dict)
    """By style: the usage count that the service reports at the end."""
    wrong: list[str] = field(default_factory=list)
    """Errors that no fault explains."""

    def take(self, task: Any, *, redelivered: bool) -> Work:
        kind, data = task["type"], task["data"]
        subject = data["generation_id"] if kind == "image_generation" else data["style_id"]
        work = Work(task["task_id"], kind, subject, data.get("attempt", 1))
        if redelivered:
            self.counts["tasks delivered again"] += 1
        elif work in self.works:
            self.counts["tasks published again"] += 1
        else:
            self.counts["tasks"] += 1
        self.works.add(work)
        return work
