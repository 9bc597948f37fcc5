from core.account_deletion.delete_account import Leave
from core.requester import Requester
from core.withdrawals.errors import WithdrawalPending
from tests.simulation.deeds.base import Deed, Deeds


class Leaving(Deeds):
    """Going for good, whatever is under way; who comes back is somebody new."""

    def open_to(self, requester: Requester) -> dict[Deed, float]:
        return {self._leave: 0.15}

    async def _leave(self, requester: Requester) -> None:
        self.stage.leavers.add(requester.id)
        await self.stage.call(Leave, requester.id, refusals=(WithdrawalPending,))
