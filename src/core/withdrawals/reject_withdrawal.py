from dataclasses import dataclass

from core.identifiers import UserId, WithdrawalId
from core.ports.clock import Clock
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.withdrawals.repository import Withdrawals


@dataclass(frozen=True, slots=True)
class RejectWithdrawal:
    """Reject a withdrawal and void its hold."""

    withdrawals: Withdrawals
    ledger: TokenLedger
    transaction: Transaction
    clock: Clock

    async def __call__(self, admin_id: UserId, withdrawal_id: WithdrawalId, *, reason: str) -> None:
        """Raises WithdrawalNotFound or WithdrawalEnded."""
        async with self.transaction:
            withdrawal = await self.withdrawals.of_id(withdrawal_id, lock=True)
            now = self.clock.now()
            await self.withdrawals.save(withdrawal.reject(at=now, by=admin_id, reason=reason))
            await self.ledger.void(withdrawal.hold_id, at=now)
