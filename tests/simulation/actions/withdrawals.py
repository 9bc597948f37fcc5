from core.errors import ValidationError
from core.requester import Requester
from core.tokens.errors import DebtOutstanding, InsufficientTokens
from core.withdrawals.errors import WithdrawalPending
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.simulation.actions.base import Action, Actions

REFUSALS = (DebtOutstanding, InsufficientTokens, ValidationError, WithdrawalPending)
AMOUNTS = (1, 5, 7, 30, 200, 2_000)


class Withdrawals(Actions):
    """Withdraw earnings: every request with a key."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        return {self._withdraw: 8, self._withdraw_everything: 14} if requester.is_artist else {}

    async def _withdraw(self, requester: Requester) -> None:
        await self.call_once(
            requester,
            self.new_key(),
            RequestWithdrawal,
            requester.id,
            self.random.choice(AMOUNTS),
            name=lambda withdrawal: f"withdrawal:{withdrawal.id}",
            refusals=REFUSALS,
            other=(requester.id, self.random.choice(AMOUNTS)),
        )

    async def _withdraw_everything(self, requester: Requester) -> None:
        """The withdrawable amount, or one with bonus tokens, own payments or maturing earnings in it."""
        balance = await self.stage.world.balance(requester.id)
        amount = self.random.choice((balance.earned_token_balance, balance.withdrawable_tokens, 5))
        await self.call_once(
            requester,
            self.new_key(),
            RequestWithdrawal,
            requester.id,
            amount or 0,
            name=lambda withdrawal: f"withdrawal:{withdrawal.id}",
            refusals=REFUSALS,
        )
