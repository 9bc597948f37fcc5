from dataclasses import dataclass

from core.accounts.repository import Users
from core.errors import ValidationError
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.problems import wrong_token_amount
from core.tokens.model import MAX_AMOUNT
from core.withdrawals.model import Withdrawal
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import WithdrawalView


@dataclass(frozen=True, slots=True)
class RequestWithdrawal:
    """Request a withdrawal; the tokens are held until an admin settles or rejects it."""

    users: Users
    withdrawals: Withdrawals
    ledger: TokenLedger
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, artist_id: UserId, amount: int) -> WithdrawalView:
        """Raises InsufficientTokens, or AccountNotFound if the user is not an artist."""
        if not 1 <= amount <= MAX_AMOUNT:
            raise ValidationError(amount=wrong_token_amount(1, MAX_AMOUNT))
        async with self.transaction:
            await self.users.of_id(artist_id, lock=True)  # a deleted account cannot be paid
            withdrawal = Withdrawal(
                id=await self.ids.withdrawal(),
                artist_id=artist_id,
                amount=amount,
                hold_id=await self.ids.hold(),
                created_at=self.clock.now(),
            )
            await self.ledger.hold(withdrawal.hold())
            await self.withdrawals.add(withdrawal)
        return WithdrawalView(
            id=withdrawal.id,
            amount=withdrawal.amount,
            status=withdrawal.status.value,
            reason=withdrawal.reason,
            created_at=withdrawal.created_at,
            ended_at=withdrawal.ended_at,
        )
