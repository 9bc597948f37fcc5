import msgspec

from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import UserId, WithdrawalId
from core.paging import Keyset, Page, PageRequest
from core.tokens.model import TransferKind, earnings, wallet
from core.withdrawals.errors import WithdrawalNotFound, WithdrawalPending
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import (
    LARGEST_PAYERS,
    Payee,
    Payer,
    WithdrawalSources,
    WithdrawalsReader,
    WithdrawalToSettle,
    WithdrawalView,
)


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

    async def has_pending(self, artist_id: UserId) -> bool:
        return _has_pending(self._transaction.tables, artist_id)

    async def add(self, withdrawal: Withdrawal) -> None:
        def operation(tables: Tables) -> None:
            if _has_pending(tables, withdrawal.artist_id):
                raise WithdrawalPending
            tables.withdrawals[withdrawal.id] = withdrawal

        self._transaction.write(operation)

    async def save(self, withdrawal: Withdrawal) -> None:
        def operation(tables: Tables) -> None:
            tables.withdrawals[withdrawal.id] = withdrawal

        await self._transaction.lock("withdrawal", withdrawal.id)
        self._transaction.write(operation)


def _has_pending(tables: Tables, artist_id: UserId) -> bool:
    return any(
        row.artist_id == artist_id and row.status is WithdrawalStatus.PENDING for row in tables.withdrawals.values()
    )


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

    async def sources(self, withdrawal_id: WithdrawalId) -> WithdrawalSources:
        withdrawal = self._reads.tables.withdrawals.get(withdrawal_id)
        if withdrawal is None:
            raise WithdrawalNotFound
        return _sources(self._reads.tables, withdrawal)


def _sources(tables: Tables, withdrawal: Withdrawal) -> WithdrawalSources:
    artist_id = withdrawal.artist_id
    earlier = [
        row.amount
        for row in tables.withdrawals.values()
        if row.artist_id == artist_id
        and row.status is not WithdrawalStatus.REJECTED
        and (row.created_at, row.id) < (withdrawal.created_at, withdrawal.id)
    ]
    before = [
        entry for entry in tables.entries.values() if entry.at < withdrawal.earned_until and entry.paid is not None
    ]
    payments = [entry for entry in before if entry.credit == earnings(artist_id)]
    others = [entry for entry in payments if not entry.own]
    paid = [entry for entry in others if entry.paid]
    payers: dict[UserId, Payer] = {}
    for entry in paid:
        if (payer_id := entry.debit.owner) is not None:
            user = tables.users.get(payer_id)
            payer = payers.get(payer_id) or Payer(payer_id, user.username if user else None, 0, 0)
            tokens = payer.tokens + entry.withdrawable
            payers[payer_id] = msgspec.structs.replace(payer, tokens=tokens, images=payer.images + 1)
    return WithdrawalSources(
        earned_until=withdrawal.earned_until,
        paid_tokens=sum(entry.withdrawable for entry in others),
        bonus_tokens=sum(entry.amount - entry.withdrawable for entry in others),
        own_tokens=sum(entry.amount for entry in payments if entry.own),
        fee_tokens=-sum(entry.earned_by(artist_id) for entry in before if entry.kind is TransferKind.FEE),
        withdrawn_tokens=sum(earlier),
        debt_tokens=tables.funds[wallet(artist_id)].debt,
        payers=len(payers),
        first_paid_at=min((entry.at for entry in paid), default=None),
        last_paid_at=max((entry.at for entry in paid), default=None),
        largest_payers=sorted(payers.values(), key=lambda payer: (-payer.tokens, payer.id))[:LARGEST_PAYERS],
    )


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
