from dataclasses import dataclass

from core.ports.books import Books
from core.ports.clock import Clock
from core.tokens.reconciliation import Reconciliation


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Prove that no token was made, lost or spent twice, and let everybody know the result."""

    books: Books
    clock: Clock

    async def __call__(self) -> Reconciliation:
        reconciliation = Reconciliation(self.clock.now(), await self.books.examine())
        await self.books.keep(reconciliation)
        return reconciliation
