from typing import Protocol

from core.tokens.reconciliation import Finding, Reconciliation


class Books(Protocol):
    """The ledger seen from outside: whether it is in order."""

    async def examine(self) -> list[Finding]:
        """Each invariant, in order, on all that is stored, as it was at one moment. Nobody has to wait for it."""
        ...

    async def keep(self, reconciliation: Reconciliation) -> None:
        """For everybody to know what came of it."""
        ...

    async def last(self) -> Reconciliation | None:
        """The one that was kept last."""
        ...
