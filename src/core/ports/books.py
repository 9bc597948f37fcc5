from typing import Protocol

from core.tokens.reconciliation import Finding, Reconciliation


class Books(Protocol):
    """Reconciliation of the ledger."""

    async def examine(self) -> list[Finding]:
        """Check each invariant, in order, on all stored rows in one snapshot. Blocks no writer."""
        ...

    async def keep(self, reconciliation: Reconciliation) -> None:
        """Store a result."""
        ...

    async def last(self) -> Reconciliation | None:
        """The result stored last."""
        ...
