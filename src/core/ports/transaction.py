from types import TracebackType
from typing import Protocol, Self

from core.errors import Category, DomainError


class OutcomeUnknown(DomainError):
    """The commit may have happened or not: the connection broke during it, or before its result could be read."""

    code = "OUTCOME_UNKNOWN"
    category = Category.UNAVAILABLE


class Transaction(Protocol):
    """All or nothing for what the ports of one use case write.

    `async with transaction:` commits on a clean exit and before the block is left; an exception rolls everything back
    and propagates. Not re-entrant; one block after another is fine. Within an IdempotentCall all blocks are committed
    together, with the answer.

    Writes may be held back until a read needs them or the block ends. So a refusal (too few tokens, a name that is
    taken) is raised as its DomainError at the call or, at the latest, when the block ends; then nothing is stored. Only
    OutcomeUnknown leaves it open. Once a block has committed, what follows in the same unit of work raises
    OutcomeUnknown, not DatabaseUnavailable, when the database is lost: the caller must not take the whole as undone.

    A row read with `lock=True` stays as read until the block ends: others who lock it wait.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
