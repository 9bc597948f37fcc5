import logging
from dataclasses import dataclass
from datetime import timedelta

from core.account_deletion.erase_account import EraseAccount
from core.account_deletion.repository import PersonalData
from core.accounts.repository import Users
from core.errors import DomainError
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.withdrawals.errors import WithdrawalPending

_log = logging.getLogger(__name__)

AT_ONCE = timedelta(seconds=2)
"""How long the call goes on erasing; the maintenance pass does the rest."""


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Delete one's own account: access is revoked at once, personal data is erased now or by the maintenance pass."""

    users: Users
    personal_data: PersonalData
    erase: EraseAccount
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId) -> None:
        """Raises WithdrawalPending: whoever is to be paid has to be there for it."""
        async with self.transaction:
            user = await self.users.of_id(requester, lock=True)
            if await self.personal_data.withdrawal_pending(requester):
                raise WithdrawalPending
            now = self.clock.now()
            await self.users.save(user.left(at=now))
            await self.personal_data.revoke_access(requester, at=now)
        try:
            await self.erase(requester, until=now + AT_ONCE)
        except DomainError as error:
            _log.warning("Erasing user %d has to wait: %s", requester, error)
