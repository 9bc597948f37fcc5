from core.account_deletion.delete_account import DeleteAccount
from core.requester import Requester
from core.withdrawals.errors import WithdrawalPending
from tests.simulation.actions.base import Action, Actions


class AccountDeletion(Actions):
    """Accounts are deleted at any time; a user who signs up again is a new one."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        return {self._delete_account: 0.15}

    async def _delete_account(self, requester: Requester) -> None:
        self.stage.deleted.add(requester.id)
        await self.stage.call(DeleteAccount, requester.id, refusals=(WithdrawalPending,))
