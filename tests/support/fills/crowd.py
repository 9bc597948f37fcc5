"""Twenty thousand users with generations, comments and transfers: enough rows for query plans to differ in cost."""

from datetime import UTC, datetime

from core.identifiers import CommentId, GenerationId, UserId
from tests.support.fills.fill import Fill

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 30_000
LONG = 20_000
"""Rows in each list of COLLECTOR, and comments on BUSIEST."""
PROLIFIC = UserId(5000)
"""The owner of a tenth of all public images of active users."""
DEVOTEE = UserId(20000)
"""Follows a thousand users."""
COLLECTOR = UserId(19999)
BUSIEST = GenerationId(12)
DISCUSSED = CommentId(1)
"""With a reply for every three rows of MANY."""

AT = "$1::timestamptz"
EACH_MINUTE = f"{AT} + n * interval '1 minute'"
NUMBERED = "generate_series(1, $2::int) n"
PER_THREE = f"{AT} + n / 3 * interval '1 minute'"
"""Moments that three rows share."""


async def crowd(fill: Fill) -> None:
    await _people(fill)
    await _styles(fill)
    await _images(fill)
    await _ledger(fill)
    await _words(fill)
    await _long_lists(fill)
    for table in ("comments", "notifications"):  # their ids come from the database
        await fill.sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


async def _people(fill: Fill) -> None:
    numbers = (BEGAN, 20_000)
    await fill.rows("users", NUMBERED, *numbers, id="n", follower_count="n % 50", created_at=AT)
    await fill.rows("artists", NUMBERED, *numbers, user_id="n", created_at=AT)
    await fill.rows("sessions", NUMBERED, BEGAN, 5000, token_hash="sha256(n::text::bytea)", user_id="n", created_at=AT)
    follows = {"follower_id": "1001 + n % 4000", "followed_id": "1 + (n * 7) % 1000", "created_at": AT}
    await fill.rows("follows", NUMBERED, BEGAN, 10_000, then="ON CONFLICT DO NOTHING", **follows)
    await fill.rows("follows", NUMBERED, BEGAN, 1000, follower_id=str(DEVOTEE), followed_id="n", created_at=AT)
    for kind, balance, count in (("wallet", 1_000_000, 5000), ("earnings", 0, 1000)):
        await fill.rows(
            "accounts", "generate_series(1, $1::int) n", count, kind=f"'{kind}'", owner_id="n", balance=str(balance)
        )


async def _styles(fill: Fill) -> None:
    await fill.rows(
        *("styles", NUMBERED, BEGAN, 5000),
        id="n",
        artist_id="1 + n % 1000",
        tags="ARRAY['tag ' || n % 20, 'rare ' || n % 900]",
        artist_followers="(1 + n % 1000) % 50",
        created_at=EACH_MINUTE,
    )
    await fill.rows("style_versions", "styles", id="id", style_id="id", created_at="created_at")
    checks = {"version_id": "n", "files": "10", "passed": "0", "attempt": "0", "created_at": AT, "updated_at": AT}
    await fill.rows("artwork_checks", NUMBERED, BEGAN, 2000, **checks)
    await fill.rows(
        *("artworks", "generate_series(0, $1::int - 1) n", 30_000), id="n", version_id="1 + n / 10", index="n % 10"
    )


async def _images(fill: Fill) -> None:
    await fill.rows(
        "generations",
        f"""{NUMBERED}, LATERAL (
            SELECT 1 + (n * 13) % 3000 AS style, CASE WHEN n % 50 = 1 THEN 'queued' ELSE 'completed' END AS state
        ) x""",
        *(BEGAN, MANY),
        id="n",
        owner_id="1 + n % 3000",
        style_id="style",
        artist_id="1 + style % 1000",
        prompt_tags="ARRAY['tag ' || n % 20, 'rare ' || n % 5000]",
        status="state",
        public_key="CASE WHEN state = 'completed' AND n % 2 = 0 THEN 'public/' || n END",
        like_count="n % 31",
        created_at=EACH_MINUTE,
        ended_at=f"CASE state WHEN 'completed' THEN {AT} + (n + 1) * interval '1 minute' END",
    )
    likes = {"user_id": "1 + n % 5000", "generation_id": f"1 + (n * 7) % {MANY}", "created_at": AT}
    await fill.rows("likes", NUMBERED, BEGAN, 20_000, then="ON CONFLICT DO NOTHING", **likes)
    # Active people, whose pages are full.
    await fill.rows(
        *("generations", NUMBERED, BEGAN, MANY),
        id=f"{2 * MANY} + n",
        owner_id=f"CASE WHEN n % 10 = 0 THEN {PROLIFIC} ELSE 1 + n % 1000 END",
        style_id="14",
        artist_id="15",
        prompt_tags="ARRAY['tag ' || n % 20, CASE WHEN n <= 900 THEN 'early' ELSE 'late' END]",
        result_key="'generations/active/' || n",
        public_key="'public/active/' || n",
        like_count="n % 31",
        created_at=f"{AT} + n * interval '20 seconds'",
    )


async def _ledger(fill: Fill) -> None:
    await fill.rows(
        "transfers",
        """generations
        JOIN accounts payer ON payer.kind = 'wallet' AND payer.owner_id = generations.owner_id
        JOIN accounts payee ON payee.kind = 'earnings' AND payee.owner_id = generations.artist_id
        WHERE generations.id <= $1""",
        MANY,
        id="generations.id",
        phase="'hold'",
        reference="'generation:' || generations.id",
        kind="'generation'",
        debit_account_id="payer.id",
        credit_account_id="payee.id",
        amount="30",
        generation_id="generations.id",
        created_at="generations.created_at",
    )
    kept = ("reference", "kind", "debit_account_id", "credit_account_id", "amount", "generation_id", "created_at")
    await fill.rows(
        *("transfers", "transfers", MANY),
        id="$1 + id",
        phase="'post'",
        hold_id="id",
        paid="30",
        **{name: name for name in kept},
    )
    await fill.rows(
        *("balance_deltas", "transfers WHERE phase = 'post' AND id % 5 = 0"),
        account_id="credit_account_id",
        transfer_id="id",
        amount="amount",
        paid="paid",
    )
    await fill.rows(
        *("style_uses", "generations WHERE id % 5 = 0 AND id <= $1", MANY),
        style_id="style_id",
        generation_id="id",
        tokens="30",
    )
    await fill.rows(
        *("withdrawals", f"{NUMBERED}, LATERAL (SELECT n % 50 = 1 AS waits) x", BEGAN, 20_000),
        id="n",
        artist_id="CASE WHEN waits THEN 1 + n / 50 ELSE 1 + (n * 7) % 5000 END",
        amount="1",
        status="CASE WHEN waits THEN 'pending' ELSE 'settled' END",
        created_at=EACH_MINUTE,
        ended_at=f"CASE WHEN NOT waits THEN {AT} END",
        ended_by="CASE WHEN NOT waits THEN 0 END",
    )


async def _words(fill: Fill) -> None:
    await fill.rows(
        *("style_tags", "generate_series(1, 20000) n"), style_id="1 + n % 1000", name="'tag ' || n / 1000", count="n"
    )
    await fill.rows(
        *(
            "style_tag_deltas",
            "generations CROSS JOIN unnest(prompt_tags) tag WHERE public_key IS NOT NULL AND id <= $1",
        ),
        MANY,
        style_id="style_id",
        name="tag",
        amount="1",
    )
    await fill.rows(
        *("comments", NUMBERED, BEGAN, 20_000),
        id="n",
        generation_id="14 + n % 100 * 2",
        author_id="1 + n % 500",
        reply_count="CASE n WHEN 1 THEN 10000 ELSE 0 END",
        created_at=EACH_MINUTE,
    )
    await fill.rows(
        *("comments", NUMBERED, BEGAN, 10_000),
        id="20000 + n",
        generation_id="16",
        author_id="1 + n % 500",
        parent_id=str(DISCUSSED),
        content="'Thanks'",
        created_at=EACH_MINUTE,
    )
    await _notifications(fill, MANY, id="n", recipient_id="1 + n % 500", read_at=f"CASE WHEN n % 3 = 0 THEN {AT} END")


async def _long_lists(fill: Fill) -> None:
    """None of it is public, so that no other list gets longer."""
    await fill.rows(
        *("generations", NUMBERED, BEGAN, LONG),
        id=f"{4 * MANY} + n",
        owner_id=str(COLLECTOR),
        style_id="15",
        artist_id="16",
        created_at=PER_THREE,
    )
    await fill.rows("accounts", "(SELECT 1) x", kind="'wallet'", owner_id=str(COLLECTOR), balance="0")
    await fill.rows(
        "transfers",
        f"{NUMBERED}, accounts payer, accounts payee WHERE payer.kind = 'issuance' AND payee.owner_id = {COLLECTOR}",
        *(BEGAN, LONG),
        id=f"{4 * MANY} + n",
        phase="'single'",
        reference="'gift:' || n",
        kind="'bonus'",
        debit_account_id="payer.id",
        credit_account_id="payee.id",
        amount="1",
        paid="0",
        created_at=PER_THREE,
    )
    await fill.rows(
        *("comments", NUMBERED, BEGAN, LONG),
        id=f"{4 * MANY} + n",
        generation_id=str(BUSIEST),
        author_id="1 + n % 500",
        created_at=PER_THREE,
    )
    await _notifications(fill, LONG, id=f"{4 * MANY} + n", recipient_id=str(COLLECTOR), created_at=PER_THREE)


async def _notifications(fill: Fill, count: int, **columns: str) -> None:
    of = {
        "type": "'generation_complete'",
        "reason": "'generation:' || n",
        "target_type": "'generation'",
        "target_id": "n",
        "created_at": EACH_MINUTE,
    }
    await fill.rows("notifications", NUMBERED, BEGAN, count, **(of | columns))
