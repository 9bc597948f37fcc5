from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import UserId, WithdrawalId
from core.paging import Keyset, Page, PageRequest
from core.withdrawals.errors import WithdrawalNotFound
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import Payee, WithdrawalsReader, WithdrawalToSettle, WithdrawalView


class MemoryWithdrawals(Withdrawals):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, withdrawal_id: WithdrawalId, *, lock: bool = False) -> Withdrawal:
        if lock:
            await self._transaction.lock("withdrawal", withdrawal_id)
        withdrawal = self._transaction.tables.withdrawals.get(withdrawal_id)
        if withdrawal is None:
            raise WithdrawalNotFound
        return withdrawal

    async def add(self, withdrawal: Withdrawal) -> None:
        self._write(withdrawal)

    async def save(self, withdrawal: Withdrawal) -> None:
        await self._transaction.lock("withdrawal", withdrawal.id)
        self._write(withdrawal)

    def _write(self, withdrawal: Withdrawal) -> None:
        def operation(tables: Tables) -> None:
            tables.withdrawals[withdrawal.id] = withdrawal

        self._transaction.write(operation)


class MemoryWithdrawalsReader(WithdrawalsReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_owner(self, artist_id: UserId, withdrawal_id: WithdrawalId) -> WithdrawalView:
        withdrawal = self._reads.tables.withdrawals.get(withdrawal_id)
        if withdrawal is None or withdrawal.artist_id != artist_id:
            raise WithdrawalNotFound
        return _view(withdrawal)

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[WithdrawalView]:
        rows = [row for row in self._reads.tables.withdrawals.values() if row.artist_id == artist_id]
        shown, following = page_of(rows, place=_place, page=page)
        return Page([_view(row) for row in shown], following)

    async def list(self, *, status: WithdrawalStatus | None, page: PageRequest) -> Page[WithdrawalToSettle]:
        tables = self._reads.tables
        rows = [row for row in tables.withdrawals.values() if status in (None, row.status)]
        shown, following = page_of(rows, place=_place, page=page)
        return Page([_to_settle(tables, row) for row in shown], following)


def _place(withdrawal: Withdrawal) -> Keyset:
    return Keyset(0, withdrawal.created_at, withdrawal.id)


def _view(withdrawal: Withdrawal) -> WithdrawalView:
    return WithdrawalView(
        id=withdrawal.id,
        amount=withdrawal.amount,
        status=withdrawal.status.value,
        reason=withdrawal.reason,
        created_at=withdrawal.created_at,
        ended_at=withdrawal.ended_at,
    )


def _to_settle(tables: Tables, withdrawal: Withdrawal) -> WithdrawalToSettle:
    user, artist = tables.users.get(withdrawal.artist_id), tables.artists.get(withdrawal.artist_id)
    return WithdrawalToSettle(
        id=withdrawal.id,
        amount=withdrawal.amount,
        status=withdrawal.status.value,
        reason=withdrawal.reason,
        created_at=withdrawal.created_at,
        ended_at=withdrawal.ended_at,
        artist=Payee(
            id=withdrawal.artist_id,
            username=user.username if user else None,
            artist_name=artist.artist_name if artist else None,
            verified_email=artist.verified_email if artist else None,
        ),
        ended_by=withdrawal.ended_by,
    )
