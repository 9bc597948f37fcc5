from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.tokens.errors import NoDebt
from core.tokens.model import ISSUANCE, Transfer, TransferKind, wallet


@dataclass(frozen=True, slots=True)
class ForgiveDebt:
    """Forgive the whole debt of a user, who sees the reason among the transactions."""

    ledger: TokenLedger
    audit: AuditLog
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId, *, reason: str) -> None:
        """Raises NoDebt, ValidationError, or InsufficientTokens if part of it is paid at the same time."""
        reason = parse_reason(reason)
        async with self.transaction:
            debt = await self.ledger.debt(user_id)
            if debt == 0:
                raise NoDebt
            now = self.clock.now()
            await self.ledger.transfer(
                Transfer(
                    reference=f"forgiveness:{self.ids.task()}",
                    kind=TransferKind.FORGIVENESS,
                    debit=ISSUANCE,
                    credit=wallet(user_id),
                    amount=debt,
                    at=now,
                    memo=reason,
                )
            )
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.DEBT_FORGIVEN,
                    "user",
                    str(user_id),
                    now,
                    before={"debt_tokens": debt},
                    after={"debt_tokens": 0},
                    reason=reason,
                )
            )
