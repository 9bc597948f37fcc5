from datetime import datetime
from functools import cache, partial
from typing import Literal

import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Pool, Record
from adapters.postgres.transaction import PostgresTransaction, Write
from core.identifiers import HoldId, UserId
from core.paging import Page, PageRequest
from core.ports.token_ledger import TokenLedger
from core.tokens.errors import InsufficientTokens
from core.tokens.model import Account, AccountKind, Hold, Sale, Transfer, wallet
from core.tokens.views import (
    Balance,
    Party,
    RelatedGeneration,
    RelatedPurchase,
    RelatedStyle,
    TokensReader,
    TransactionFilter,
    TransactionLine,
)

# Only wallets are updated in place. Earnings and the platform's accounts are credited by many at once, so what they get
# is appended to balance_deltas and folded into their balance later. Earnings can be spent, so a debit folds them first,
# under the account's lock, for the constraint to see all there is.

OPEN_ACCOUNT = Write(
    touches="ledger",
    ctes="""
        opened AS (
            INSERT INTO accounts (kind, owner_id) VALUES ($1, $2)
            ON CONFLICT ON CONSTRAINT uq_accounts_kind_owner_id DO NOTHING
        )""",
)

HOLD = Write(
    touches="ledger",
    ctes="""
        held AS (
            INSERT INTO transfers
                (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
            SELECT $1, 'hold', $2, 'generation', payer.id, payee.id, $5, $6, $7
            FROM accounts payer, accounts payee
            WHERE payer.kind = 'wallet' AND payer.owner_id = $3 AND payee.kind = 'earnings' AND payee.owner_id = $4
            RETURNING debit_account_id, amount
        ),
        put_aside AS (
            UPDATE accounts SET held = held + amount FROM held WHERE accounts.id = debit_account_id
        )""",
    finds="held",
    rule="account_found",
)


def _resolve(phase: str, *changes: str) -> Write:
    resolved = f"""
        resolved AS (
            INSERT INTO transfers (
                phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, created_at
            )
            SELECT '{phase}', reference, kind, debit_account_id, credit_account_id, amount, id, generation_id, $2
            FROM transfers WHERE id = $1 AND phase = 'hold'
            RETURNING id, debit_account_id, credit_account_id, amount
        )"""
    return Write("ledger", ", ".join([resolved, *changes]), finds="resolved", rule="hold_found")


POST = _resolve(
    "post",
    """
        paid AS (
            UPDATE accounts SET balance = balance - amount, held = held - amount
            FROM resolved WHERE accounts.id = debit_account_id
        )""",
    """
        earned AS (
            INSERT INTO balance_deltas (account_id, transfer_id, amount)
            SELECT credit_account_id, id, amount FROM resolved
        )""",
)
VOID = _resolve(
    "void",
    """
        given_back AS (
            UPDATE accounts SET held = held - amount FROM resolved WHERE accounts.id = debit_account_id
        )""",
)


@cache
def _transfer(debit: AccountKind, credit: AccountKind) -> Write:
    changes = [
        f"""
        moved AS (
            INSERT INTO transfers
                (phase, reference, kind, debit_account_id, credit_account_id, amount, memo, created_at, order_id,
                    price_per_token, total_price, currency_code)
            SELECT 'single', $1, $2, debit.id, credit.id, $7, $8, $9, $10, $11, $12, $13
            FROM accounts debit, accounts credit
            WHERE debit.kind = $3 AND {_owned("debit", "$4", debit)}
                AND credit.kind = $5 AND {_owned("credit", "$6", credit)}
            RETURNING id, debit_account_id, credit_account_id, amount
        )"""
    ]
    appended = []
    if debit is AccountKind.WALLET:
        changes.append(
            "debited AS (UPDATE accounts SET balance = balance - amount FROM moved"
            " WHERE accounts.id = debit_account_id)"
        )
    elif debit is AccountKind.EARNINGS:
        changes.append(
            "folded AS (DELETE FROM balance_deltas USING moved"
            " WHERE account_id = debit_account_id RETURNING balance_deltas.amount)"
        )
        changes.append(
            "debited AS (UPDATE accounts SET balance = balance"
            " + (SELECT coalesce(sum(amount), 0) FROM folded) - amount FROM moved"
            " WHERE accounts.id = debit_account_id)"
        )
    else:
        appended.append("SELECT debit_account_id, id, -amount FROM moved")
    if credit is AccountKind.WALLET:
        changes.append(
            "credited AS (UPDATE accounts SET balance = balance + amount FROM moved"
            " WHERE accounts.id = credit_account_id)"
        )
    else:
        appended.append("SELECT credit_account_id, id, amount FROM moved")
    if appended:
        rows = " UNION ALL ".join(appended)
        changes.append(f"appended AS (INSERT INTO balance_deltas (account_id, transfer_id, amount) {rows})")
    return Write("ledger", ", ".join(changes), finds="moved", rule="account_found")


def _owned(account: str, owner: str, kind: AccountKind) -> str:
    """Written so that an index finds it."""
    has_owner = kind in (AccountKind.WALLET, AccountKind.EARNINGS)
    return f"{account}.owner_id = {owner}" if has_owner else f"{account}.owner_id IS NULL AND {owner}::bigint IS NULL"


LOCK_EARNINGS = "SELECT FROM accounts WHERE kind = 'earnings' AND owner_id = $1 FOR NO KEY UPDATE"

FOLD = """
WITH party AS MATERIALIZED (
    SELECT id FROM accounts WHERE id IN (SELECT account_id FROM balance_deltas) ORDER BY id FOR NO KEY UPDATE
),
gone AS (
    DELETE FROM balance_deltas USING party WHERE account_id = party.id RETURNING account_id, amount
)
UPDATE accounts SET balance = balance + total
FROM (SELECT account_id, sum(amount) AS total FROM gone GROUP BY account_id) folded
WHERE accounts.id = account_id
"""

FREE = """
SELECT (balance - held + (SELECT coalesce(sum(amount), 0) FROM balance_deltas WHERE account_id = id))::bigint AS tokens
FROM accounts WHERE kind = $1 AND owner_id = $2
"""

BALANCE = """
SELECT
    coalesce(sum(balance - held) FILTER (WHERE kind = 'wallet'), 0)::bigint AS free,
    coalesce(sum(held) FILTER (WHERE kind = 'wallet'), 0)::bigint AS held,
    sum(balance + (SELECT coalesce(sum(amount), 0) FROM balance_deltas WHERE account_id = id))
        FILTER (WHERE kind = 'earnings')::bigint AS earned
FROM accounts
WHERE kind IN ('wallet', 'earnings') AND owner_id = $1
"""


OUT = "debit_account_id = mine.id AND phase IN ('hold', 'single')"
IN = "credit_account_id = mine.id AND phase IN ('post', 'single')"
MATCHES = {
    TransactionFilter.ALL: "true",
    TransactionFilter.REFUND: """(
        kind = 'refund' OR EXISTS (SELECT FROM transfers void WHERE void.hold_id = transfers.id AND phase = 'void')
    )""",
}


def _lines(type: TransactionFilter, page: PageRequest, arguments: Arguments) -> str:
    """Either direction of either account is one range of an index."""
    keys = Keys()
    after = keys.after(page, arguments)
    found = " UNION ALL ".join(
        f"""(
            SELECT transfers.*, '{direction}' AS direction FROM transfers
            WHERE {side} AND {after} AND {MATCHES.get(type, f"kind = '{type.value}'")}
            ORDER BY {keys.order()} {limit(page)}
        )"""
        for direction, side in (("out", OUT), ("in", IN))
    )
    return f"""
    SELECT line.*, resolution.phase AS resolved,
        sender.id AS sender_id, sender.username AS sender_username,
        receiver.id AS receiver_id, receiver.username AS receiver_username,
        generations.status AS generation_status, styles.id AS style_id, styles.name AS style_name
    FROM (
        SELECT found.* FROM accounts mine CROSS JOIN LATERAL ({found}) found
        WHERE mine.kind IN ('wallet', 'earnings') AND mine.owner_id = $1
        ORDER BY {keys.order()} {limit(page)}
    ) line
    LEFT JOIN transfers resolution ON resolution.hold_id = line.id
    JOIN accounts debit ON debit.id = line.debit_account_id
    JOIN accounts credit ON credit.id = line.credit_account_id
    LEFT JOIN users sender ON sender.id = debit.owner_id
    LEFT JOIN users receiver ON receiver.id = credit.owner_id
    LEFT JOIN generations ON generations.id = line.generation_id
    LEFT JOIN styles ON styles.id = generations.style_id
    ORDER BY {keys.order("line")}
    """


class PostgresTokenLedger(TokenLedger):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def open(self, account: Account) -> None:
        await self._transaction.write(OPEN_ACCOUNT, account.kind.value, account.owner)

    async def transfer(self, transfer: Transfer) -> None:
        debit, credit, sale = transfer.debit, transfer.credit, transfer.sale
        if debit.kind is AccountKind.EARNINGS:
            await self._transaction.fetchrow(LOCK_EARNINGS, debit.owner, lock=True)
        await self._transaction.write(
            _transfer(debit.kind, credit.kind),
            transfer.reference,
            transfer.kind.value,
            debit.kind.value,
            debit.owner,
            credit.kind.value,
            credit.owner,
            transfer.amount,
            transfer.memo,
            transfer.at,
            *(msgspec.structs.astuple(sale) if sale else (None,) * len(Sale.__struct_fields__)),
            explain={"ck_accounts_solvent": partial(self._insufficient, debit, transfer.amount)},
        )

    async def hold(self, hold: Hold) -> None:
        await self._transaction.write(
            HOLD,
            hold.id,
            hold.reference,
            hold.payer,
            hold.payee,
            hold.amount,
            hold.generation_id,
            hold.at,
            explain={"ck_accounts_solvent": partial(self._insufficient, wallet(hold.payer), hold.amount)},
        )

    async def post(self, hold_id: HoldId, *, at: datetime) -> None:
        await self._transaction.write(POST, hold_id, at)

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        await self._transaction.write(VOID, hold_id, at)

    async def _insufficient(self, account: Account, required: int) -> InsufficientTokens:
        row = await self._transaction.pool.fetchrow(FREE, account.kind.value, account.owner)
        return InsufficientTokens(required=required, available=row["tokens"] if row else 0)


class PostgresTokensReader(TokensReader):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def balance(self, user_id: UserId) -> Balance:
        [row] = await self._pool.fetch(BALANCE, user_id)
        return Balance(user_id, row["free"], row["held"], row["earned"])

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        arguments = Arguments([user_id])
        sql = _lines(type, page, arguments)
        rows, following = cut(await self._pool.fetch(sql, *arguments), page)
        return Page([_line(row) for row in rows], following)


async def fold_balances(pool: Pool) -> None:
    """Keep balances quick to read: roll what has been appended to them into them. They stay what they are."""
    await pool.fetch(FOLD)


_STATUS: dict[str, Literal["pending", "completed", "failed"]] = {
    "hold": "pending",
    "post": "completed",
    "void": "failed",
    "single": "completed",
}


def _line(row: Record) -> TransactionLine:
    phase = row["resolved"] or row["phase"]
    return TransactionLine(
        id=row["id"],
        type=row["kind"],
        direction=row["direction"],
        amount=row["amount"],
        status=_STATUS[phase],
        refunded=phase == "void",
        price_per_token=row["price_per_token"],
        total_price=row["total_price"],
        currency_code=row["currency_code"],
        memo=row["memo"],
        created_at=row["created_at"],
        sender=_party(row, "sender"),
        receiver=_party(row, "receiver"),
        related_style=RelatedStyle(row["style_id"], row["style_name"]) if row["style_id"] else None,
        related_generation=RelatedGeneration(row["generation_id"], row["generation_status"])
        if row["generation_status"]
        else None,
        related_purchase=RelatedPurchase(row["order_id"]) if row["order_id"] else None,
    )


def _party(row: Record, side: str) -> Party | None:
    user_id = row[f"{side}_id"]
    return Party(user_id, row[f"{side}_username"]) if user_id else None
