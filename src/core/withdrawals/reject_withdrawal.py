from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import WithdrawalId
from core.ports.clock import Clock
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.withdrawals.repository import Withdrawals


@dataclass(frozen=True, slots=True)
class RejectWithdrawal:
    """Reject a withdrawal and void its hold."""

    withdrawals: Withdrawals
    ledger: TokenLedger
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, withdrawal_id: WithdrawalId, *, reason: str) -> None:
        """Raises WithdrawalNotFound, WithdrawalEnded, OwnWithdrawal, AdminRequired or ValidationError."""
        async with self.transaction:
            withdrawal = await self.withdrawals.of_id(withdrawal_id, lock=True)
            now = self.clock.now()
            ended = withdrawal.reject(at=now, by=operator.admin, reason=reason)
            await self.withdrawals.save(ended)
            await self.ledger.void(withdrawal.hold_id, at=now)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.WITHDRAWAL_REJECTED,
                    "withdrawal",
                    str(withdrawal_id),
                    now,
                    before={"status": withdrawal.status.value},
                    after={"status": ended.status.value},
                    reason=ended.reason,
                )
            )
