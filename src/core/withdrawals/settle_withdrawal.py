from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import WithdrawalId
from core.ports.clock import Clock
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.withdrawals.repository import Withdrawals


@dataclass(frozen=True, slots=True)
class SettleWithdrawal:
    """Mark a withdrawal as paid and post its hold."""

    withdrawals: Withdrawals
    ledger: TokenLedger
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, withdrawal_id: WithdrawalId) -> None:
        """Raises WithdrawalNotFound, WithdrawalEnded, OwnWithdrawal, AdminRequired or DebtOutstanding."""
        async with self.transaction:
            withdrawal = await self.withdrawals.of_id(withdrawal_id, lock=True)
            now = self.clock.now()
            ended = withdrawal.settle(at=now, by=operator.admin)
            await self.withdrawals.save(ended)
            await self.ledger.post(withdrawal.hold_id, at=now)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.WITHDRAWAL_SETTLED,
                    "withdrawal",
                    str(withdrawal_id),
                    now,
                    before={"status": withdrawal.status.value},
                    after={"status": ended.status.value},
                    reason=ended.reason,
                )
            )
