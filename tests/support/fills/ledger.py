"""Ledger rows as years of use would leave them. Buyers with a million tokens and artists with styles must exist."""

from adapters.postgres.books import MOVED
from tests.support.fills.fill import Fill

IN_PLACE = "*, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many"
SERIAL = "nextval(pg_get_serial_sequence('{}', 'id'))"
KEPT = {
    **{"reference": "'generation:' || id", "kind": "'generation'", "debit_account_id": "wallet_id"},
    **{"credit_account_id": "earnings_id", "amount": "tokens", "generation_id": "id", "created_at": "at"},
}
"""Of both transfers of a generation."""


async def generations(fill: Fill, *, completed: int, failed: int = 0, queued: int = 0, public: bool, fee: int) -> None:
    """With their transfers, shared evenly by buyers and styles; one a second until now."""
    await fill.sql(
        """
        CREATE TEMPORARY TABLE made (
            id bigint, hold_id bigint, owner_id bigint, wallet_id bigint, style_id bigint, artist_id bigint,
            earnings_id bigint, tokens bigint, at timestamptz, status text
        ) ON COMMIT DROP
        """
    )
    await fill.rows(
        "made",
        f"""generate_series(1, $1::int + $2::int + $3::int) n
        JOIN (SELECT {IN_PLACE} FROM accounts WHERE kind = 'wallet' AND balance >= 1000000) buyer
            ON buyer.place = n % buyer.many + 1
        JOIN (SELECT {IN_PLACE} FROM styles) style ON style.place = n % style.many + 1
        JOIN accounts earnings ON earnings.kind = 'earnings' AND earnings.owner_id = style.artist_id""",
        *(completed, failed, queued),
        id=SERIAL.format("generations"),
        hold_id=SERIAL.format("transfers"),
        owner_id="buyer.owner_id",
        wallet_id="buyer.id",
        style_id="style.id",
        artist_id="style.artist_id",
        earnings_id="earnings.id",
        tokens="style.generation_cost_tokens",
        at="now() - n * interval '1 second'",
        status="CASE WHEN n <= $1 THEN 'completed' WHEN n <= $1 + $2 THEN 'failed' ELSE 'queued' END",
    )
    await _bought(fill)
    await fill.rows("transfers", "made", id="hold_id", phase="'hold'", **KEPT)
    paid = "CASE status WHEN 'completed' THEN tokens END"
    phase = "CASE status WHEN 'completed' THEN 'post' ELSE 'void' END"
    await fill.rows("transfers", "made WHERE status <> 'queued'", phase=phase, hold_id="hold_id", paid=paid, **KEPT)
    if fee:
        await fill.rows(
            *("transfers", "made, accounts fees WHERE status = 'completed' AND fees.kind = 'fees'", fee),
            phase="'single'",
            reference="'fee:generation:' || made.id",
            kind="'fee'",
            debit_account_id="earnings_id",
            credit_account_id="fees.id",
            amount="$1::bigint",
            paid="CASE made.owner_id WHEN artist_id THEN 0 ELSE $1::bigint END",
            generation_id="made.id",
            created_at="at",
        )
    await fill.rows(
        *("generations", "made", public, fee),
        **{name: name for name in ("id", "owner_id", "style_id", "artist_id", "hold_id", "status")},
        consumed_tokens="tokens",
        fee_tokens="CASE status WHEN 'completed' THEN $2::int ELSE 0 END",
        public_key="CASE WHEN $1::bool AND status = 'completed' THEN 'public/generations/' || id || '.png' END",
        failure_code="CASE status WHEN 'failed' THEN 'GENERATION_ERROR' END",
        failure_message="CASE status WHEN 'failed' THEN 'No.' END",
        created_at="at",
    )


async def _bought(fill: Fill) -> None:
    """What `generations` spend was bought, by one purchase of each owner."""
    await fill.rows(
        "purchases",
        "made GROUP BY owner_id",
        order_id="'spent-' || owner_id",
        user_id="owner_id",
        amount_tokens="sum(tokens)",
    )
    await _credited(fill, "spent-%")


async def purchases(fill: Fill, count: int) -> None:
    """Of those who have made `generations`, one a minute until now."""
    await fill.rows(
        "purchases",
        """generate_series(1, $1::int) n
        JOIN (SELECT owner_id, row_number() OVER (ORDER BY owner_id) AS place, count(*) OVER () AS many
            FROM (SELECT DISTINCT owner_id FROM made) buyers) buyer ON buyer.place = n % buyer.many + 1""",
        count,
        order_id="'order-' || n",
        user_id="owner_id",
        created_at="now() - n * interval '1 minute'",
    )
    await _credited(fill, "order-%")


async def _credited(fill: Fill, orders: str) -> None:
    await fill.rows(
        "transfers",
        """purchases JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = user_id,
        accounts issuance WHERE issuance.kind = 'issuance' AND order_id LIKE $1""",
        orders,
        phase="'single'",
        reference="'purchase:' || order_id",
        kind="'purchase'",
        debit_account_id="issuance.id",
        credit_account_id="wallet.id",
        amount="amount_tokens",
        paid="amount_tokens",
        **{name: name for name in ("order_id", "price_per_token", "total_price", "currency_code", "created_at")},
    )


async def withdrawals(fill: Fill, count: int) -> None:
    """Settled ones of 10 tokens, one a microsecond until now: later than what they were earned with."""
    await fill.rows(
        "withdrawals",
        f"""generate_series(1, $1::int) n
        JOIN (SELECT {IN_PLACE} FROM accounts WHERE kind = 'earnings') earnings
            ON earnings.place = n % earnings.many + 1""",
        count,
        id=SERIAL.format("withdrawals"),
        artist_id="owner_id",
        amount="10",
        hold_id=SERIAL.format("transfers"),
        created_at="now() - n * interval '1 microsecond'",
        earned_until="now() - n * interval '1 microsecond'",
        status="'settled'",
        ended_at="now()",
        ended_by="0",
    )
    source = """withdrawals JOIN accounts earnings ON earnings.kind = 'earnings' AND earnings.owner_id = artist_id,
        accounts issuance WHERE issuance.kind = 'issuance'"""
    of = {
        **{"reference": "'withdrawal:' || withdrawals.id", "kind": "'withdrawal'", "debit_account_id": "earnings.id"},
        **{"credit_account_id": "issuance.id", "amount": "amount", "created_at": "withdrawals.created_at"},
    }
    await fill.rows("transfers", source, id="hold_id", phase="'hold'", **of)
    await fill.rows("transfers", source, phase="'post'", hold_id="hold_id", paid="amount", **of)


async def balances(fill: Fill) -> None:
    """Set all balances to what the transfers add up to."""
    await fill.sql("DELETE FROM balance_deltas")
    await fill.sql(
        "UPDATE accounts SET balance = coalesce(moved, 0), held = side.held, paid = side.paid,"
        " held_paid = side.held_paid"
        f" FROM ({MOVED}) side WHERE account_id = accounts.id"
    )


async def uses(fill: Fill) -> None:
    """Add `generations` to the usage counts of styles and tags, and a notification for each."""
    await fill.sql(
        """
        UPDATE styles SET usage_count = usage_count + images, earned_tokens = earned_tokens + tokens
        FROM (SELECT style_id, count(*) AS images, sum(tokens) AS tokens FROM made
            WHERE status = 'completed' GROUP BY 1) used
        WHERE styles.id = used.style_id
        """
    )
    tags = "made JOIN generations USING (id), unnest(prompt_tags) tag WHERE public_key IS NOT NULL"
    await fill.rows(
        *("tags", f"{tags} GROUP BY tag"),
        name="tag",
        usage_count="count(*)",
        then="ON CONFLICT (name) DO UPDATE SET usage_count = tags.usage_count + excluded.usage_count",
    )
    await fill.rows(
        *("style_tags", f"{tags} GROUP BY made.style_id, tag"),
        style_id="made.style_id",
        name="tag",
        count="count(*)",
        then="ON CONFLICT (style_id, name) DO UPDATE SET count = style_tags.count + excluded.count",
    )
    await fill.rows(
        *("notifications", "made WHERE status = 'completed'"),
        recipient_id="owner_id",
        type="'generation_complete'",
        reason="'generation:' || id || ':ended'",
        target_type="'generation'",
        target_id="id",
        created_at="at",
    )
