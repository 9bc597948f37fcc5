from collections.abc import Mapping
from datetime import date, datetime
from functools import cache, partial
from typing import Literal

import asyncpg
import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.statements import lookup
from adapters.postgres.transaction import Explain, PostgresTransaction
from adapters.postgres.writes import Write
from core.identifiers import HoldId, UserId
from core.paging import Page, PageRequest
from core.ports.token_ledger import TokenLedger
from core.tokens.errors import AccountNotFound, InsufficientTokens
from core.tokens.model import BOUGHT, FEE_MEMO, Account, AccountKind, Hold, Transfer, TransferKind
from core.tokens.views import (
    Balance,
    Earnings,
    EarningsGroup,
    EarningsLine,
    Party,
    RelatedGeneration,
    RelatedPurchase,
    RelatedStyle,
    RelatedWithdrawal,
    TokensReader,
    TransactionFilter,
    TransactionLine,
    earnings_of,
    shown_as,
    unknown_zone,
)

# Only transfers are written here; triggers update the balances. Busy accounts (earnings and the platform's) have deltas
# in balance_deltas that belong to their balance.

OPEN_ACCOUNT = Write(
    target="ledger",
    columns="accounts",
    ctes="""
        opened AS (
            INSERT INTO accounts (kind, owner_id) SELECT kind, owner_id FROM input_ledger
            ON CONFLICT ON CONSTRAINT uq_accounts_kind_owner_id DO NOTHING
        )""",
)
TRANSFER = "reference text, kind text, debit_owner bigint, credit_owner bigint, amount bigint, created_at timestamptz"

SALE = "order_id text, price_per_token bigint, total_price bigint, currency_code text"


@cache
def _hold(debit: AccountKind, credit: AccountKind) -> Write:
    return Write(
        target="ledger",
        columns=f"id bigint, generation_id bigint, {TRANSFER}",
        ctes=f"""
        held AS (
            INSERT INTO transfers
                (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
            SELECT input.id, 'hold', reference, input.kind, debit.id, credit.id, amount, generation_id, created_at
            FROM input_ledger input
            JOIN accounts debit ON {_is("debit", debit)}
            JOIN accounts credit ON {_is("credit", credit)}
            ORDER BY debit.id
            RETURNING id
        )""",
        finds="held",
        rule="account_found",
        batched=True,
    )


RESOLUTION = "reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, created_at"
RESOLVED = """reference, hold.kind, debit_account_id, credit_account_id, amount, hold.id, hold.generation_id,
                input.at"""
HOLDS = "input_ledger input JOIN transfers hold ON hold.id = input.hold_id AND phase = 'hold'"

VOID = Write(
    target="ledger",
    columns="hold_id bigint, at timestamptz",
    ctes=f"""
        resolved AS (
            INSERT INTO transfers (phase, {RESOLUTION}) SELECT 'void', {RESOLVED} FROM {HOLDS} RETURNING hold_id
        )""",
    finds="resolved",
    rule="hold_found",
)


def _post(*charged: str) -> Write:
    # Bonus tokens are spent first. The payer's row is locked, so that what is left of them is read as it is.
    resolved = f"""
        payers AS MATERIALIZED (
            SELECT id, owner_id, balance - paid AS bonus FROM accounts
            WHERE id IN (SELECT debit_account_id FROM {HOLDS})
            ORDER BY id FOR NO KEY UPDATE
        ),
        resolved AS (
            INSERT INTO transfers (phase, {RESOLUTION}, paid)
            SELECT 'post', {RESOLVED},
                CASE hold.kind WHEN 'generation' THEN
                    least(amount, greatest(0, sum(amount) OVER (PARTITION BY payers.id ORDER BY hold.id) - bonus))
                ELSE amount END
            FROM {HOLDS} JOIN payers ON payers.id = debit_account_id
            RETURNING hold_id, reference, debit_account_id, credit_account_id, generation_id, amount, paid, created_at
        )"""
    columns = "hold_id bigint, at timestamptz, fee bigint, memo text"
    return Write("ledger", columns, ", ".join([resolved, *charged]), finds="resolved", rule="hold_found")


POST = _post()
POST_AND_CHARGE = _post(
    """
        charged AS (
            INSERT INTO transfers (
                phase, reference, kind, debit_account_id, credit_account_id, amount, paid, generation_id, memo,
                created_at
            )
            SELECT 'single', 'fee:' || reference, 'fee', credit_account_id, fees.id, fee,
                CASE payers.owner_id WHEN payee.owner_id THEN 0 ELSE resolved.paid * fee / amount END, generation_id,
                memo, created_at
            FROM resolved JOIN input_ledger USING (hold_id) JOIN payers ON payers.id = debit_account_id
            JOIN accounts payee ON payee.id = credit_account_id, accounts fees WHERE fees.kind = 'fees'
        )""",
)


@cache
def _transfer(debit: AccountKind, credit: AccountKind) -> Write:
    return Write(
        target="ledger",
        columns=f"{TRANSFER}, paid bigint, memo text, {SALE}",
        ctes=f"""
        moved AS (
            INSERT INTO transfers
                (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, memo, created_at, order_id,
                    price_per_token, total_price, currency_code)
            SELECT 'single', reference, input.kind, debit.id, credit.id, amount, input.paid, memo, created_at, order_id,
                price_per_token, total_price, currency_code
            FROM input_ledger input
            JOIN accounts debit ON {_is("debit", debit)}
            JOIN accounts credit ON {_is("credit", credit)}
            RETURNING id
        )""",
        finds="moved",
        rule="account_found",
    )


def _is(account: str, kind: AccountKind) -> str:
    """Written so that an index is used."""
    owner = f"input.{account}_owner"
    has_owner = kind in (AccountKind.WALLET, AccountKind.EARNINGS)
    owned = f"{account}.owner_id = {owner}" if has_owner else f"{account}.owner_id IS NULL AND {owner} IS NULL"
    return f"{account}.kind = '{kind.value}' AND {owned}"


DELTA = "(SELECT coalesce(sum({0}), 0) FROM balance_deltas WHERE account_id = mine.id)"
FREE = f"""
SELECT CASE $3
    WHEN 'withdrawal' THEN paid - held_paid + {DELTA.format("paid")}
    WHEN 'forgiveness' THEN debt
    WHEN 'taken_bonus' THEN least(balance - paid, balance - held)
    ELSE balance - held + {DELTA.format("amount")} END::bigint AS tokens
FROM accounts mine WHERE kind = $1 AND owner_id = $2
"""
DEBT = "SELECT debt FROM accounts WHERE kind = 'wallet' AND owner_id = $1"
MATURING = """(
    (SELECT coalesce(sum(paid), 0) FROM transfers
        WHERE credit_account_id = mine.id AND phase IN ('post', 'single') AND created_at >= {since}
            AND debit_account_id IS DISTINCT FROM (
                SELECT own.id FROM accounts own WHERE own.kind = 'wallet' AND own.owner_id = mine.owner_id
            ))
    - (SELECT coalesce(sum(paid), 0) FROM transfers
        WHERE debit_account_id = mine.id AND phase IN ('hold', 'single') AND kind = 'fee' AND created_at >= {since})
)"""
WITHDRAWABLE = f"""
SELECT (paid - held_paid + {DELTA.format("paid")} - {MATURING.format(since="$2")})::bigint AS tokens
FROM accounts mine WHERE kind = 'earnings' AND owner_id = $1
"""

BALANCE = lookup(
    {"user_id": "bigint", "earned_until": "timestamptz"},
    f"""
SELECT
    coalesce(sum(balance - held) FILTER (WHERE kind = 'wallet'), 0)::bigint AS token_balance,
    coalesce(sum(greatest(0, (balance - paid) - (held - held_paid))) FILTER (WHERE kind = 'wallet'), 0)::bigint
        AS bonus_tokens,
    coalesce(sum(held) FILTER (WHERE kind = 'wallet'), 0)::bigint AS held_tokens,
    coalesce(sum(debt) FILTER (WHERE kind = 'wallet'), 0)::bigint AS debt_tokens,
    sum(balance - held + appended) FILTER (WHERE kind = 'earnings')::bigint AS earned_token_balance,
    sum(greatest(0, paid - held_paid + appended_paid - maturing)) FILTER (WHERE kind = 'earnings')::bigint
        AS withdrawable_tokens,
    sum(maturing) FILTER (WHERE kind = 'earnings')::bigint AS maturing_tokens
FROM (
    SELECT *, {DELTA.format("amount")} AS appended, {DELTA.format("paid")} AS appended_paid,
        CASE kind WHEN 'earnings' THEN {MATURING.format(since="input.earned_until")} END AS maturing
    FROM accounts mine WHERE kind IN ('wallet', 'earnings') AND owner_id = input.user_id
) account
""",
)


OUT = "debit_account_id = mine.id AND phase IN ('hold', 'single')"
IN = "credit_account_id = mine.id AND phase IN ('post', 'single')"
MATCHES = {
    TransactionFilter.ALL: "true",
    TransactionFilter.GENERATION: "kind IN ('generation', 'fee')",
    TransactionFilter.BONUS: "kind IN ('bonus', 'taken_bonus')",
    TransactionFilter.REFUND: """(
        kind IN ('charge_back', 'forgiveness')
        OR EXISTS (SELECT FROM transfers void WHERE void.hold_id = transfers.id AND phase = 'void')
    )""",
}


def _lines(type: TransactionFilter, page: PageRequest, arguments: Arguments) -> str:
    """Each direction of each account is one index range."""
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
    SELECT line.*, resolution.phase AS resolved, resolution.paid AS resolved_paid,
        sender.id AS sender_id, sender.username AS sender_username,
        receiver.id AS receiver_id, receiver.username AS receiver_username,
        generations.status AS generation_status, styles.id AS style_id, styles.name AS style_name,
        withdrawals.id AS withdrawal_id, withdrawals.status AS withdrawal_status
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
    LEFT JOIN withdrawals ON withdrawals.hold_id = line.id
    ORDER BY {keys.order("line")}
    """


def _earnings(group: EarningsGroup) -> str:
    """Earnings and, separately, the fees charged from them: one index range each."""
    day, style, joined, order = "(part.created_at AT TIME ZONE $4)::date", "NULL::bigint", "", "day"
    if group is EarningsGroup.STYLE:
        day, style, order = "NULL::date", "generations.style_id", "tokens DESC, style_id"
        joined = "LEFT JOIN generations ON generations.id = generation_id"
    # An index range wide enough for every zone, then the exact days: midnight may occur twice a day, or never. Dates,
    # because PostgreSQL supports later ones than Python.
    start, end = (f"{day}::timestamp AT TIME ZONE 'UTC'" for day in ("($2::date - 1)", "($3::date + 2)"))
    period = f"""transfers.created_at >= {start} AND transfers.created_at < {end}
                AND (transfers.created_at AT TIME ZONE $4::text)::date BETWEEN $2 AND $3"""
    return f"""
    SELECT day, style_id, styles.name AS style_name, images, paid - fees AS tokens, fees AS fee_tokens
    FROM (
        SELECT {day} AS day, {style} AS style_id, sum(images)::bigint AS images, sum(paid)::bigint AS paid,
            sum(fees)::bigint AS fees
        FROM (
            SELECT transfers.created_at, generation_id, 1 AS images, amount AS paid, 0 AS fees
            FROM accounts mine JOIN transfers ON credit_account_id = mine.id
            WHERE mine.kind = 'earnings' AND mine.owner_id = $1 AND phase IN ('post', 'single')
                AND transfers.kind = 'generation' AND {period}
            UNION ALL
            SELECT transfers.created_at, generation_id, 0, 0, amount
            FROM accounts mine JOIN transfers ON debit_account_id = mine.id
            WHERE mine.kind = 'earnings' AND mine.owner_id = $1 AND phase IN ('hold', 'single')
                AND transfers.kind = 'fee' AND {period}
        ) part {joined}
        GROUP BY 1, 2
    ) earned
    LEFT JOIN styles ON styles.id = style_id
    ORDER BY {order}
    """


class PostgresTokenLedger(TokenLedger):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def open(self, account: Account) -> None:
        await self._transaction.write(OPEN_ACCOUNT, {"kind": account.kind, "owner_id": account.owner})

    async def transfer(self, transfer: Transfer) -> None:
        sale = msgspec.structs.asdict(transfer.sale) if transfer.sale else {}
        row = {"memo": transfer.memo, **_transfer_row(transfer), **sale}
        row["paid"] = transfer.amount if transfer.kind in BOUGHT else 0
        await self._transaction.write(
            _transfer(transfer.debit.kind, transfer.credit.kind), row, explain=self._explained(transfer)
        )

    async def hold(self, hold: Hold) -> None:
        await self._transaction.write(
            _hold(hold.debit.kind, hold.credit.kind),
            {"id": hold.id, "generation_id": hold.generation_id, **_transfer_row(hold)},
            explain=self._explained(hold),
        )

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        row = {"hold_id": hold_id, "at": at, "fee": fee, "memo": FEE_MEMO}
        await self._transaction.write(POST_AND_CHARGE if fee else POST, row)

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        await self._transaction.write(VOID, {"hold_id": hold_id, "at": at})

    async def debt(self, user_id: UserId) -> int:
        row = await self._transaction.fetchrow(DEBT, user_id)
        return row["debt"] if row else 0

    async def withdrawable(self, artist_id: UserId, *, earned_until: datetime) -> int:
        row = await self._transaction.fetchrow(WITHDRAWABLE, artist_id, earned_until)
        if row is None:
            raise AccountNotFound
        tokens: int = row["tokens"]
        return tokens

    def _explained(self, movement: Transfer | Hold) -> Mapping[str | None, Explain]:
        return {"ck_accounts_solvent": partial(self._insufficient, movement)}

    async def _insufficient(self, movement: Transfer | Hold) -> InsufficientTokens:
        kind = movement.kind
        account = movement.credit if kind is TransferKind.FORGIVENESS else movement.debit
        row = await self._transaction.unit.fetchrow(FREE, account.kind.value, account.owner, kind.value)
        return InsufficientTokens(required=movement.amount, available=row["tokens"] if row else 0)


def _transfer_row(movement: Transfer | Hold) -> dict[str, object]:
    return {
        "reference": movement.reference,
        "kind": movement.kind,
        "debit_owner": movement.debit.owner,
        "credit_owner": movement.credit.owner,
        "amount": movement.amount,
        "created_at": movement.at,
    }


class PostgresTokensReader(TokensReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def balance(self, user_id: UserId, *, earned_until: datetime) -> Balance:
        row = await self._reads.row(BALANCE, user_id, earned_until)
        if row is None:
            raise RuntimeError("a sum without a row")
        return Balance(user_id, **{name: value for name, value in row.items() if name != "place"})

    async def transactions(
        self, user_id: UserId, *, type: TransactionFilter, page: PageRequest
    ) -> Page[TransactionLine]:
        arguments = Arguments([user_id])
        sql = _lines(type, page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([_line(row) for row in rows], following)

    async def earnings(
        self, artist_id: UserId, *, first: date, last: date, group: EarningsGroup, zone: str = "UTC"
    ) -> Earnings:
        try:
            rows = await self._reads.fetch(_earnings(group), artist_id, first, last, zone)
        except asyncpg.InvalidParameterValueError:
            raise unknown_zone() from None
        return earnings_of(first, last, [_earned(row) for row in rows])


_STATUS: dict[str, Literal["pending", "completed", "failed"]] = {
    "hold": "pending",
    "post": "completed",
    "void": "failed",
    "single": "completed",
}


def _line(row: Record) -> TransactionLine:
    phase = row["resolved"] or row["phase"]
    paid = row["resolved_paid"] if row["resolved"] else row["paid"]
    return TransactionLine(
        id=row["id"],
        type=shown_as(row["kind"]),
        direction=row["direction"],
        amount=row["amount"],
        bonus_tokens=None if paid is None else row["amount"] - paid,
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
        related_withdrawal=RelatedWithdrawal(row["withdrawal_id"], row["withdrawal_status"])
        if row["withdrawal_id"]
        else None,
    )


def _earned(row: Record) -> EarningsLine:
    return EarningsLine(
        day=row["day"],
        style=RelatedStyle(row["style_id"], row["style_name"]) if row["style_id"] else None,
        images=row["images"],
        tokens=row["tokens"],
        fee_tokens=row["fee_tokens"],
    )


def _party(row: Record, side: str) -> Party | None:
    user_id = row[f"{side}_id"]
    return Party(user_id, row[f"{side}_username"]) if user_id else None
