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
from core.withdrawals.views import (
    LARGEST_PAYERS,
    Payee,
    Payer,
    WithdrawalSources,
    WithdrawalsReader,
    WithdrawalToSettle,
    WithdrawalView,
)

WITHDRAWAL = """
SELECT id, artist_id, amount, hold_id, created_at, earned_until, status, reason, ended_at, ended_by
FROM withdrawals WHERE id = $1
"""

PENDING = "SELECT id FROM withdrawals WHERE artist_id = $1 AND status = 'pending'"

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


SOURCES = f"""
SELECT earned_until, debt.tokens AS debt_tokens, fees.tokens AS fee_tokens, earlier.tokens AS withdrawn_tokens, paid.*,
    payers.largest_payers
FROM withdrawals
JOIN accounts mine ON mine.kind = 'earnings' AND mine.owner_id = artist_id,
LATERAL (
    SELECT coalesce(sum(debt), 0)::bigint AS tokens FROM accounts WHERE kind = 'wallet' AND owner_id = artist_id
) debt,
LATERAL (
    SELECT coalesce(sum(transfers.paid), 0)::bigint AS tokens FROM transfers
    WHERE debit_account_id = mine.id AND phase IN ('hold', 'single') AND transfers.kind = 'fee'
        AND transfers.created_at < earned_until
) fees,
LATERAL (
    SELECT coalesce(sum(amount), 0)::bigint AS tokens FROM withdrawals other
    WHERE other.artist_id = withdrawals.artist_id AND status <> 'rejected'
        AND (other.created_at, other.id) < (withdrawals.created_at, withdrawals.id)
) earlier,
LATERAL (
    SELECT coalesce(sum(paid) FILTER (WHERE others), 0)::bigint AS paid_tokens,
        coalesce(sum(amount - paid) FILTER (WHERE others), 0)::bigint AS bonus_tokens,
        coalesce(sum(amount) FILTER (WHERE NOT others), 0)::bigint AS own_tokens,
        count(DISTINCT payer_id) FILTER (WHERE others AND paid > 0) AS payers,
        min(created_at) FILTER (WHERE others AND paid > 0) AS first_paid_at,
        max(created_at) FILTER (WHERE others AND paid > 0) AS last_paid_at
    FROM (
        SELECT transfers.amount, transfers.paid, transfers.created_at, payer.owner_id AS payer_id,
            payer.owner_id <> artist_id AS others
        FROM transfers JOIN accounts payer ON payer.id = debit_account_id
        WHERE credit_account_id = mine.id AND phase IN ('post', 'single') AND transfers.created_at < earned_until
    ) payment
) paid,
LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', payer.id, 'username', users.username, 'tokens', payer.tokens, 'images', payer.images
    ) ORDER BY payer.tokens DESC, payer.id), '[]') AS largest_payers
    FROM (
        SELECT payer.owner_id AS id, sum(transfers.paid)::bigint AS tokens, count(*) AS images
        FROM transfers JOIN accounts payer ON payer.id = debit_account_id AND payer.owner_id <> artist_id
        WHERE credit_account_id = mine.id AND phase IN ('post', 'single') AND transfers.created_at < earned_until
            AND transfers.paid > 0
        GROUP BY payer.owner_id ORDER BY tokens DESC, payer.owner_id LIMIT {LARGEST_PAYERS}
    ) payer
    LEFT JOIN users ON users.id = payer.id
) payers
WHERE withdrawals.id = $1
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

    async def has_pending(self, artist_id: UserId) -> bool:
        return await self._transaction.fetchrow(PENDING, artist_id) is not None

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

    async def sources(self, withdrawal_id: WithdrawalId) -> WithdrawalSources:
        row = await self._reads.fetchrow(SOURCES, withdrawal_id)
        if row is None:
            raise WithdrawalNotFound
        payers = [Payer(**payer) for payer in row["largest_payers"]]
        return WithdrawalSources(**dict(row) | {"largest_payers": payers})


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
