from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

import msgspec

from core.errors import Category, DomainError
from core.identifiers import UserId

KEPT = timedelta(hours=24)
"""How long an answer can be replayed."""


class Call(msgspec.Struct, frozen=True):
    """A call that a client may repeat, for instance because the answer got lost."""

    user_id: UserId
    key: str
    """The client's idempotency key, unique among the user's calls of the last 24 hours."""
    fingerprint: bytes
    """A digest of the method, the path and the body."""
    at: datetime


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyKeyReused(DomainError):
    code = "IDEMPOTENCY_KEY_REUSED"
    category = Category.INVALID


class AlreadyAnswered(Exception):
    """Not a refusal: the call was answered before, and this is its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class IdempotentCall(Protocol):
    """One call that takes effect once, however often it is repeated, at whatever process.

    It belongs to a unit of work. From `begin` on, the unit's transactions are not committed block by block but
    together, with the answer, by `finish`; the unit's readers see what the blocks have written. Leaving the call
    (`async with call:`) without `finish` rolls all of it back.

    The first lock or write after `begin` claims the key. Whoever else uses the key waits there until this call has
    ended, and then has AlreadyAnswered or IdempotencyKeyReused raised out of the block, or claims the key itself; a
    user who was erased meanwhile gets UserNotFound. Before that nothing is locked and no transaction is open, so a call
    may take its time to receive and store files.
    """

    @property
    def begun(self) -> bool:
        """Whether `begin` has accepted the call."""
        ...

    async def begin(self, call: Call) -> None:
        """Defer the unit's commits to `finish`.

        Raises AlreadyAnswered, or IdempotencyKeyReused when the key was used for another request.
        """
        ...

    async def refuse(self) -> None:
        """Roll back what was written: the call is refused and its key stays free.

        Raises what `begin` raises if the same call was answered meanwhile: that is why this one was refused.
        """
        ...

    async def finish(self, answer: Answer) -> None:
        """Commit what was written and the answer, both or neither. Raises what a commit and what `begin` raise."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Answers(Protocol):
    """The answers that can be replayed. Only those passed to `IdempotentCall.finish` are kept, for KEPT."""

    async def purge(self, *, limit: int) -> int:
        """Remove up to `limit` answers older than KEPT; returns how many."""
        ...
