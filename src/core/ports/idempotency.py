from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from core.errors import Category, DomainError
from core.identifiers import UserId

KEPT = timedelta(hours=24)
"""How long an answer is given again."""


class Call(msgspec.Struct, frozen=True):
    """A call that may come again, for instance because its answer got lost."""

    user_id: UserId
    key: str
    """Of the caller's choice: one for each thing to be done."""
    fingerprint: bytes
    """Of everything that the call asks for."""
    at: datetime


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyKeyReused(DomainError):
    code = "IDEMPOTENCY_KEY_REUSED"
    category = Category.INVALID
    message = "This idempotency key belongs to another request."


class AlreadyAnswered(Exception):
    """Not a refusal: the call has been here before, and this is what it was told."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Once(Protocol):
    """One call, until it is answered."""

    async def begin(self, call: Call) -> None:
        """From now on what this task's transactions write is not committed block by block, but by `finish`.

        Readers that this task calls after a block see it. Raises AlreadyAnswered, or IdempotencyKeyReused when the key
        was used for something else.
        """
        ...

    async def refuse(self) -> None:
        """Take back what was written: the call is refused, its key stays free.

        Raises what `begin` raises if the same call has been answered meanwhile: that is why this one was refused.
        """
        ...

    async def finish(self, answer: Answer) -> None:
        """Commit what was written and the answer, both or neither. Raises what a commit and what `begin` raise."""
        ...


class Idempotency(Protocol):
    """Lets a call take effect once, however often it comes, to whatever process, and gives its answer again.

    Only answers that are passed to `finish` are kept, for KEPT.

    The first lock or write after `begin` claims the key: whoever has the same key waits there until this call has ended
    and then has AlreadyAnswered or IdempotencyKeyReused raised out of the block, or claims the key for itself; who has
    been erased meanwhile has UserNotFound raised. Before that nothing is locked and no transaction is open, so that a
    call may take its time to receive and store files.
    """

    def once(self) -> AbstractAsyncContextManager[Once]:
        """A call within one task; leaving without `finish` takes back what was written after `begin`."""
        ...

    async def forget(self, *, limit: int) -> int:
        """Remove up to `limit` answers that are not given again any more; answers how many."""
        ...
