from dataclasses import dataclass

from core.ports.books import Books
from core.ports.clock import Clock
from core.tokens.reconciliation import Reconciliation


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Check the ledger's invariants and publish the result."""

    books: Books
    clock: Clock

    async def __call__(self) -> Reconciliation:
        reconciliation = Reconciliation(self.clock.now(), await self.books.examine())
        await self.books.keep(reconciliation)
        return reconciliation
