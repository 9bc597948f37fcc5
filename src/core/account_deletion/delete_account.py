import logging
from dataclasses import dataclass
from datetime import timedelta

from core.account_deletion.erase_account import EraseLeaver
from core.account_deletion.repository import Traces
from core.accounts.repository import Users
from core.errors import DomainError
from core.identifiers import UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.withdrawals.errors import WithdrawalPending

_log = logging.getLogger(__name__)

AT_ONCE = timedelta(seconds=2)
"""Whoever leaves waits no longer for what is theirs to be erased; the sweep does the rest."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Go for good: locked out at once, then erased as far as that can be, now or by the sweep."""

    users: Users
    traces: Traces
    erase: EraseLeaver
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId) -> None:
        """Raises WithdrawalPending: whoever is to be paid has to be there for it."""
        async with self.transaction:
            user = await self.users.of_id(requester, lock=True)
            if await self.traces.withdrawal_pending(requester):
                raise WithdrawalPending
            now = self.clock.now()
            await self.users.save(user.left(at=now))
            await self.traces.lock_out(requester, at=now)
        try:
            await self.erase(requester, until=now + AT_ONCE)
        except DomainError as error:
            _log.warning("Erasing user %d has to wait: %s", requester, error.message)
