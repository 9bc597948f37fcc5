from core.requester import Requester
from core.tokens.errors import InsufficientTokens
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.simulation.deeds.base import Deed, Deeds

AMOUNTS = (1, 1, 7, 30, 200, 2_000)


class Withdrawals(Deeds):
    """Turning earnings into money: every request by a key."""

    def open_to(self, requester: Requester) -> dict[Deed, float]:
        return {self._withdraw: 6} if requester.is_artist else {}

    async def _withdraw(self, requester: Requester) -> None:
        await self.call_once(
            requester,
            self.new_key(),
            RequestWithdrawal,
            requester.id,
            self.random.choice(AMOUNTS),
            name=lambda withdrawal: f"withdrawal:{withdrawal.id}",
            refusals=(InsufficientTokens,),
            other=(requester.id, self.random.choice(AMOUNTS)),
        )
