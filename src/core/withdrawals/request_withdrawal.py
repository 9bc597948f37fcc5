from dataclasses import dataclass

from core.accounts.repository import Users
from core.errors import ValidationError
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.problems import wrong_token_amount
from core.tokens.errors import InsufficientTokens
from core.tokens.model import MAX_AMOUNT, PayoutTerms
from core.withdrawals.errors import WithdrawalPending
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
    terms: PayoutTerms

    async def __call__(self, artist_id: UserId, amount: int) -> WithdrawalView:
        """Raises ValidationError, WithdrawalPending, InsufficientTokens, DebtOutstanding, or AccountNotFound if the
        user is not an artist.
        """
        if not self.terms.minimum <= amount <= MAX_AMOUNT:
            raise ValidationError(amount=wrong_token_amount(self.terms.minimum, MAX_AMOUNT))
        async with self.transaction:
            await self.users.of_id(artist_id, lock=True)  # a deleted account cannot be paid
            now = self.clock.now()
            earned_until = self.terms.earned_until(now)
            available = await self.ledger.withdrawable(artist_id, earned_until=earned_until)
            if await self.withdrawals.has_pending(artist_id):
                raise WithdrawalPending
            if available < amount:
                raise InsufficientTokens(required=amount, available=max(0, available))
            withdrawal = Withdrawal(
                id=await self.ids.withdrawal(),
                artist_id=artist_id,
                amount=amount,
                hold_id=await self.ids.hold(),
                created_at=now,
                earned_until=earned_until,
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
