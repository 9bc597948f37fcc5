from datetime import datetime
from typing import Protocol

from core.tokens.reconciliation import Finding, Reconciliation
from core.tokens.statement import Month, Statement


class Books(Protocol):
    """Reconciliation of the ledger, and its statements."""

    async def examine(self) -> list[Finding]:
        """Check each invariant, in order, on all stored rows in one snapshot. Blocks no writer."""
        ...

    async def statement(self, month: Month, *, matured_before: datetime) -> Statement:
        """What was moved in a month and what there is at its end, in one snapshot. Blocks no writer.

        Earnings have matured if they were earned before `matured_before`.
        """
        ...

    async def keep(self, reconciliation: Reconciliation) -> None:
        """Store a result."""
        ...

    async def last(self) -> Reconciliation | None:
        """The result stored last."""
        ...
