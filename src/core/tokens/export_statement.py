from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.ports.books import Books
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.tokens.model import PayoutTerms
from core.tokens.statement import Statement, month_of


@dataclass(frozen=True, slots=True)
class ExportStatement:
    """Export a month's statement for the books. The audit log tells who has it."""

    books: Books
    audit: AuditLog
    transaction: Transaction
    clock: Clock
    terms: PayoutTerms

    async def __call__(self, operator: Operator, month: str) -> Statement:
        """`month` is `YYYY-MM`, in UTC. Raises ValidationError."""
        asked, now = month_of(month), self.clock.now()
        found = await self.books.statement(asked, matured_before=self.terms.earned_until(min(asked.until, now)))
        async with self.transaction:
            await self.audit.add(AuditEntry(operator, Action.STATEMENT_EXPORTED, "statement", month, now))
        return found
