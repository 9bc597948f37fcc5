from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

import msgspec

from core.errors import Category, DomainError
from core.identifiers import UserId

KEPT = timedelta(hours=24)
"""How long an answer can be replayed."""


class Call(msgspec.Struct, frozen=True):
    """A call that a client may repeat, for example because the answer was lost."""

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
    """Not a refusal: carries the stored answer of the first call, to be replayed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class IdempotentCall(Protocol):
    """A call that takes effect once, however often it is repeated, in any process.

    It belongs to a unit of work. After `begin`, the unit's transactions are committed together with the answer by
    `finish`, not one by one; the unit's readers see their writes. Leaving the block (`async with call:`) without
    `finish` rolls everything back.

    The first lock or write after `begin` claims the key. Concurrent calls with the same key wait there until this call
    has ended; then AlreadyAnswered or IdempotencyKeyReused is raised out of the block, or the waiting call claims the
    key itself. If the user was erased meanwhile, UserNotFound is raised. Until the claim nothing is locked and no
    transaction is open, so files can be received and stored without holding either.
    """

    @property
    def is_open(self) -> bool:
        """Whether `begin` has accepted the call."""
        ...

    async def begin(self, call: Call) -> None:
        """Defer the unit's commits to `finish`.

        Raises AlreadyAnswered, or IdempotencyKeyReused if the key was used for another request.
        """
        ...

    async def refuse(self) -> None:
        """Roll back because the call was refused; the key stays free.

        Raises what `begin` raises if the same call was answered meanwhile, since that is then the reason for the
        refusal.
        """
        ...

    async def finish(self, answer: Answer) -> None:
        """Commit the writes and the answer, both or neither. Raises what a commit and what `begin` raise."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Answers(Protocol):
    """Replayable answers, as passed to `IdempotentCall.finish`, kept for KEPT."""

    async def purge(self, *, limit: int) -> int:
        """Remove up to `limit` answers older than KEPT; returns how many."""
        ...
