from dataclasses import dataclass

from core.accounts.repository import Users
from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.errors import ValidationError
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.problems import wrong_token_amount
from core.tokens.model import ISSUANCE, MAX_AMOUNT, Transfer, TransferKind, wallet


@dataclass(frozen=True, slots=True)
class TakeBonus:
    """Take bonus tokens back from a user, who sees the reason among the transactions."""

    users: Users
    ledger: TokenLedger
    audit: AuditLog
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, operator: Operator, user_id: UserId, *, tokens: int, reason: str) -> None:
        """Raises UserNotFound, ValidationError, or InsufficientTokens if fewer bonus tokens are available."""
        reason = parse_reason(reason)
        if not 1 <= tokens <= MAX_AMOUNT:
            raise ValidationError(tokens=wrong_token_amount(1, MAX_AMOUNT))
        async with self.transaction:
            await self.users.of_id(user_id, lock=True)
            now = self.clock.now()
            await self.ledger.transfer(
                Transfer(
                    reference=f"take:{self.ids.task()}",
                    kind=TransferKind.TAKEN_BONUS,
                    debit=wallet(user_id),
                    credit=ISSUANCE,
                    amount=tokens,
                    at=now,
                    memo=reason,
                )
            )
            await self.audit.add(
                AuditEntry(
                    operator, Action.BONUS_TAKEN, "user", str(user_id), now, after={"tokens": tokens}, reason=reason
                )
            )
