from types import TracebackType
from typing import Protocol, Self

from core.errors import Category, DomainError


class OutcomeUnknown(DomainError):
    """The connection broke during the commit or before its result was read: whether it committed is unknown."""

    code = "OUTCOME_UNKNOWN"
    category = Category.UNAVAILABLE


class Transaction(Protocol):
    """Atomic writes of one use case.

    `async with transaction:` commits on a clean exit, before the block is left; an exception rolls back and propagates.
    Not re-entrant; several blocks in sequence are fine. Within an IdempotentCall all blocks are committed together with
    the answer.

    Writes may be deferred until a read needs them or the block ends. A refusal (insufficient tokens, a name that is
    taken) is therefore raised as its DomainError at the call or at the latest when the block ends; then nothing is
    stored. Only OutcomeUnknown leaves that open. After a commit, losing the database later in the same unit of work
    raises OutcomeUnknown instead of DatabaseUnavailable, since part of the work is stored.

    A row read with `lock=True` does not change until the block ends; other transactions that lock it wait.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
