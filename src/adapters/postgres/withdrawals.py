import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write, assignments, insert
from core.identifiers import UserId, WithdrawalId
from core.paging import Page, PageRequest
from core.withdrawals.errors import WithdrawalNotFound
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import Payee, WithdrawalsReader, WithdrawalToSettle, WithdrawalView

WITHDRAWAL = """
SELECT id, artist_id, amount, hold_id, created_at, status, reason, ended_at, ended_by FROM withdrawals WHERE id = $1
"""

SAVE = Write(
    target="withdrawals",
    columns="withdrawals",
    ctes=f"""
        saved_withdrawal AS (
            UPDATE withdrawals SET {assignments(("status", "reason", "ended_at", "ended_by"), "input")}
            FROM input_withdrawals input WHERE withdrawals.id = input.id
            RETURNING withdrawals.id
        )""",
    finds="saved_withdrawal",
    rule="withdrawal_found",
)

VIEW = "id, amount, status, reason, created_at, ended_at"
OF_OWNER = f"SELECT {VIEW} FROM withdrawals WHERE id = $1 AND artist_id = $2"


def _own(page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    return f"""
    SELECT {VIEW} FROM withdrawals WHERE artist_id = $1 AND {keys.after(page, arguments)}
    ORDER BY {keys.order()} {limit(page)}
    """


def _everybodys(status: WithdrawalStatus | None, page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    narrowed = f"status = {arguments.add(status.value)} AND" if status else ""
    return f"""
    SELECT page.*, users.username, artists.artist_name, artists.verified_email
    FROM (
        SELECT {VIEW}, artist_id, ended_by FROM withdrawals WHERE {narrowed} {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) page
    LEFT JOIN users ON users.id = artist_id
    LEFT JOIN artists ON artists.user_id = artist_id
    ORDER BY {keys.order("page")}
    """


class PostgresWithdrawals(Withdrawals):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, withdrawal_id: WithdrawalId, *, lock: bool = False) -> Withdrawal:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(f"{WITHDRAWAL} {locking}", withdrawal_id, lock=lock)
        if row is None:
            raise WithdrawalNotFound
        return Withdrawal(**dict(row) | {"status": WithdrawalStatus(row["status"])})

    async def add(self, withdrawal: Withdrawal) -> None:
        row = msgspec.structs.asdict(withdrawal)
        await self._transaction.write(insert("withdrawals", tuple(row)), row)

    async def save(self, withdrawal: Withdrawal) -> None:
        await self._transaction.write(SAVE, msgspec.structs.asdict(withdrawal))


class PostgresWithdrawalsReader(WithdrawalsReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_owner(self, artist_id: UserId, withdrawal_id: WithdrawalId) -> WithdrawalView:
        row = await self._reads.fetchrow(OF_OWNER, withdrawal_id, artist_id)
        if row is None:
            raise WithdrawalNotFound
        return WithdrawalView(**row)

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[WithdrawalView]:
        arguments = Arguments([artist_id])
        sql = _own(page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([WithdrawalView(**row) for row in rows], following)

    async def list(self, *, status: WithdrawalStatus | None, page: PageRequest) -> Page[WithdrawalToSettle]:
        arguments = Arguments()
        sql = _everybodys(status, page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([_to_settle(row) for row in rows], following)


def _to_settle(row: Record) -> WithdrawalToSettle:
    return WithdrawalToSettle(
        id=row["id"],
        amount=row["amount"],
        status=row["status"],
        reason=row["reason"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        artist=Payee(row["artist_id"], row["username"], row["artist_name"], row["verified_email"]),
        ended_by=row["ended_by"],
    )
