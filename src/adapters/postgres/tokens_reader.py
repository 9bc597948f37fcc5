from datetime import date, datetime
from typing import Literal

import asyncpg

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.statements import lookup
from adapters.postgres.tokens import DELTA, MATURING
from core.identifiers import UserId
from core.paging import Page, PageRequest
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
        kind IN ('refund', 'charge_back', 'forgiveness')
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
