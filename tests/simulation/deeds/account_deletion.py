from core.account_deletion.delete_account import DeleteAccount
from core.requester import Requester
from core.withdrawals.errors import WithdrawalPending
from tests.simulation.deeds.base import Deed, Deeds


class AccountDeletion(Deeds):
    """Accounts are deleted at any time; a user who signs up again is a new one."""

    def open_to(self, requester: Requester) -> dict[Deed, float]:
        return {self._delete_account: 0.15}

    async def _delete_account(self, requester: Requester) -> None:
        self.stage.deleted.add(requester.id)
        await self.stage.call(DeleteAccount, requester.id, refusals=(WithdrawalPending,))
