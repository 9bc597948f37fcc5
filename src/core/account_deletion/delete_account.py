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
from core.purchases.repository import Purchases
from core.styles.repository import Styles
from core.withdrawals.errors import WithdrawalPending

_log = logging.getLogger(__name__)

INLINE_TIME = timedelta(seconds=2)
"""How long the call itself keeps erasing; a maintenance pass does the rest."""


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Delete one's own account: revoke access at once, erase personal data now or in a maintenance pass.

    At once, styles are closed and payments of pending purchases are no longer captured.
    """

    users: Users
    styles: Styles
    purchases: Purchases
    personal_data: PersonalData
    erase: EraseAccount
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId) -> None:
        """Raises WithdrawalPending: a pending withdrawal must be settled or rejected first."""
        async with self.transaction:
            user = await self.users.of_id(requester, lock=True)
            if await self.personal_data.withdrawal_pending(requester):
                raise WithdrawalPending
            now = self.clock.now()
            await self.users.save(user.start_deletion(at=now))
            await self.personal_data.revoke_access(requester)
            for style in await self.styles.of_artist(requester, lock=True):
                await self.styles.save(style.close(at=now))
            for purchase in await self.purchases.pending(requester):
                await self.purchases.save(purchase.expire_now(at=now))
        try:
            await self.erase(requester, until=now + INLINE_TIME)
        except DomainError as error:
            _log.warning("account erasure postponed user=%d reason=%s", requester, error)
