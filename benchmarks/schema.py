"""The cost of each rule of the schema in two statements: a request for a generation, and its completion.

In one database a rule is dropped, in an equal one all are in force, and the same statements are timed in both
alternately, so that other load affects both alike. Compared are CPU seconds of the server's processes where the
operating system reports them, else seconds.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg

from benchmarks.table import table
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database

BUYERS = 20_000
GENERATIONS = 100_000
"""Generations before the measurement: PostgreSQL plans differently for small tables."""
ROUNDS = 5
ROWS = 16
"""Generations in one statement, where it is not one."""
STATEMENTS = {1: 64, ROWS: 8}
"""Statements of a measurement, by how many generations each is about."""
WARM_UP = 8
"""Statements after which PostgreSQL plans no more."""

FILL = f"""
INSERT INTO users (provider, subject, username, role, bio, created_at, updated_at)
SELECT 'openid', number::text, 'user-' || number, 'artist', '', now(), now() FROM generate_series(1, {BUYERS}) number;
INSERT INTO artists (user_id, artist_name, name_key, verified_email, signature_key, created_at)
SELECT min(id), 'Mia', 'mia', 'mia@example.com', 'key', now() FROM users;
WITH made AS (
    INSERT INTO styles (
        id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, version, version_id,
        model_path, is_active, show_samples, created_at, updated_at
    )
    SELECT 1, user_id, 'Oil', 'oil', '', 10, 'personal', '{{}}', 1, 1, 'model', true, true, now(), now() FROM artists
    RETURNING id
)
INSERT INTO style_versions (
    id, style_id, number, task_id, rights_version, rights_explicit, rights_affirmed_at, training_status, model_path,
    created_at, updated_at, completed_at
)
SELECT id, id, 1, gen_random_uuid(), 1, true, now(), 'completed', 'model', now(), now(), now() FROM made;

SET session_replication_role = replica;
INSERT INTO accounts (kind, owner_id) SELECT 'earnings', user_id FROM artists;
INSERT INTO accounts (kind, owner_id, balance) SELECT 'wallet', id, 1000000 FROM users;
INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT nextval('transfers_id_seq'), 'hold', 'generation:' || number, 'generation', wallet.id, earnings.id, 10, number,
    now()
FROM generate_series(1, {GENERATIONS}) number
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM accounts WHERE kind = 'wallet') wallet
    ON place = number % {BUYERS} + 1
CROSS JOIN accounts earnings WHERE earnings.kind = 'earnings';
INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, license_type, license_version, style_version, hold_id,
    aspect_ratio, prompt_tags, task_id, status, attempt, result_key, metadata, created_at, updated_at, ended_at
)
SELECT nextval('generations_id_seq'), owner_id, styles.id, artist_id, 10, 'personal', 1, 1, transfers.id, '1:1',
    '{{woman,portrait}}', gen_random_uuid(), 'completed', 1, 'generations/' || transfers.id, '{{}}', now(), now(), now()
FROM transfers JOIN accounts ON accounts.id = debit_account_id CROSS JOIN styles;
INSERT INTO transfers (
    phase, reference, kind, debit_account_id, credit_account_id, amount, paid, hold_id, generation_id, created_at
)
SELECT 'post', reference, kind, debit_account_id, credit_account_id, amount, 0, id, generation_id, now()
FROM transfers;
SET session_replication_role = origin;
"""
REQUEST = """
WITH asked AS MATERIALIZED (
    SELECT nextval('transfers_id_seq') AS hold_id, nextval('generations_id_seq') AS id, wallet.id AS wallet_id,
        wallet.owner_id, styles.id AS style_id, artist_id, earnings.id AS earnings_id
    FROM unnest($1::bigint[]) buyer
    JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = buyer
    CROSS JOIN styles JOIN accounts earnings ON earnings.kind = 'earnings' AND earnings.owner_id = artist_id
),
held AS (
    INSERT INTO transfers
        (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
    SELECT hold_id, 'hold', 'generation:' || id, 'generation', wallet_id, earnings_id, 10, id, now() FROM asked
),
made AS (
    INSERT INTO generations (
        id, owner_id, style_id, artist_id, consumed_tokens, license_type, license_version, style_version, hold_id,
        aspect_ratio, prompt_tags, task_id, status, attempt, metadata, created_at, updated_at
    )
    SELECT id, owner_id, style_id, artist_id, 10, 'personal', 1, 1, hold_id, '1:1', '{woman,portrait}',
        gen_random_uuid(), 'queued', 1, '{}', now(), now()
    FROM asked
),
put AS (
    INSERT INTO outbox (task_id, queue, body, due) SELECT gen_random_uuid(), 'image_generation', '{}', now() FROM asked
)
SELECT id FROM asked
"""
COMPLETE = """
WITH posted AS (
    INSERT INTO transfers (
        phase, reference, kind, debit_account_id, credit_account_id, amount, paid, hold_id, generation_id, created_at
    )
    SELECT 'post', reference, hold.kind, debit_account_id, credit_account_id, amount, 0, hold.id, generation_id, now()
    FROM generations JOIN transfers hold ON hold.id = generations.hold_id WHERE generations.id = ANY($1)
    RETURNING reference, credit_account_id, generation_id
),
charged AS (
    INSERT INTO transfers
        (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, generation_id, created_at)
    SELECT 'single', 'fee:' || reference, 'fee', credit_account_id, fees.id, 1, 0, generation_id, now()
    FROM posted CROSS JOIN accounts fees WHERE fees.kind = 'fees'
)
UPDATE generations
SET status = 'completed', result_key = 'generated/' || id, fee_tokens = 1, ended_at = now(), updated_at = now()
WHERE id = ANY($1)
"""
AT_COMMIT = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
"""Runs what waits for the commit."""

RULES = """
SELECT 'CHECKs of ' || conrelid::regclass AS name,
    array_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)) AS drops
FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY($1::regclass[]) GROUP BY conrelid
UNION ALL
SELECT 'foreign keys of ' || conrelid::regclass,
    array_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname))
FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY($1::regclass[]) GROUP BY conrelid
UNION ALL
SELECT CASE WHEN tgname = ANY($2) THEN 'trigger ' || tgname ELSE 'all other triggers' END,
    array_agg(format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass))
FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY($1::regclass[]) GROUP BY 1
ORDER BY 1 DESC
"""
TABLES = ["accounts", "transfers", "balance_deltas", "generations", "outbox"]
FIRING = [
    "accounts_change_by_transfers",
    "generations_held_as_priced",
    "generations_settle_as_ended",
    "transfers_check",
    "transfers_move_tokens",
    "transfers_resolve_as_ended",
]
"""Triggers that are called for these statements; of the others only the conditions are looked at."""
ALL = "all of these"

Kind = tuple[str, int]
"""What a statement does, and to how many generations."""
Times = dict[Kind, list[tuple[float, float]]]
"""Seconds of statements in a database with a rule, and of the same ones without it."""


@dataclass(frozen=True, slots=True)
class Side:
    """A database in which statements are timed."""

    connection: "asyncpg.Connection[Any]"
    pid: int
    request: Any
    complete: Any

    @classmethod
    async def of(cls, connection: "asyncpg.Connection[Any]") -> Self:
        request, complete = await connection.prepare(REQUEST), await connection.prepare(COMPLETE)
        return cls(connection, await connection.fetchval("SELECT pg_backend_pid()"), request, complete)

    async def requesting(self, buyers: list[int]) -> tuple[float, list[int]]:
        """The seconds, and the generations."""
        began = _spent(self.pid)
        made = await self.request.fetch(buyers)
        return _spent(self.pid) - began, [row["id"] for row in made]

    async def completing(self, generations: list[int]) -> float:
        """The seconds."""
        began = _spent(self.pid)
        await self.complete.fetch(generations)
        await self.connection.execute(AT_COMMIT)
        return _spent(self.pid) - began


def _sum(times: list[tuple[float, float]], side: int) -> float:
    """Sums are compared: single statements may take less than a tick of the clock of CPU time."""
    return sum(pair[side] for pair in times)


def report() -> str:
    """Each rule's share of a statement, and its microseconds."""
    with tempfile.TemporaryDirectory(prefix="style-license-benchmark-") as directory:
        database = embedded_database(Path(directory) / "postgres")
        try:
            url = database.start()
            upgrade_database(url)
            costs = asyncio.run(_measure(url))
        finally:
            database.stop()
    kinds = list(costs[ALL])
    whole = {kind: _sum(costs[ALL][kind], 0) / len(costs[ALL][kind]) for kind in kinds}
    rows = [
        ["", *(f"{name} of {rows}" if rows > 1 else f"a {name}" for name, rows in kinds)],
        ["the whole statement", *(f"{seconds * 1e6:,.0f} us" for seconds in whole.values())],
    ]
    for rule, times in costs.items():
        shares = {kind: 1 - _sum(times[kind], 1) / _sum(times[kind], 0) for kind in kinds}
        rows.append([rule, *(f"{shares[kind]:.0%} {shares[kind] * whole[kind] * 1e6:5,.0f} us" for kind in kinds)])
    return table(rows)


async def _measure(url: str) -> dict[str, Times]:
    await _execute(url, FILL, "VACUUM ANALYZE")
    beside = urlsplit(url)._replace(path="/beside").geturl()
    await _execute(urlsplit(url)._replace(path="/template1").geturl(), "CREATE DATABASE beside TEMPLATE postgres")
    with_it, without = await asyncpg.connect(url), await asyncpg.connect(beside)
    try:
        buyers = [row["id"] for row in await with_it.fetch("SELECT id FROM users ORDER BY id LIMIT 1000")]
        rules = {row["name"]: row["drops"] for row in await with_it.fetch(RULES, TABLES, FIRING)}
        rules[ALL] = [drop for drops in rules.values() for drop in drops]
        costs: dict[str, Times] = {rule: {} for rule in rules}
        for _ in range(ROUNDS):
            for rule, drops in rules.items():
                for rows in STATEMENTS:
                    for kind, times in (await _times(with_it, without, drops, buyers, rows)).items():
                        costs[rule].setdefault(kind, []).extend(times)
        return costs
    finally:
        await with_it.close()
        await without.close()


async def _times(
    with_it: "asyncpg.Connection[Any]",
    without: "asyncpg.Connection[Any]",
    drops: Sequence[str],
    buyers: Sequence[int],
    rows: int,
) -> Times:
    """The time of each statement with some rules and without them; rolled back."""
    async with _undone(with_it), _undone(without):
        for drop in drops:
            await without.execute(drop)
        sides = [await Side.of(with_it), await Side.of(without)]
        made, requests, completions = [], [], []
        for batch in islice(_batches(buyers, rows), WARM_UP + STATEMENTS[rows]):
            (first, generations), (second, others) = [await side.requesting(batch) for side in sides]
            requests.append((first, second))
            made.append((generations, others))
        for each in made:
            first, second = [await side.completing(ids) for side, ids in zip(sides, each, strict=True)]
            completions.append((first, second))
    return {("request", rows): requests[WARM_UP:], ("completion", rows): completions[WARM_UP:]}


@asynccontextmanager
async def _undone(connection: "asyncpg.Connection[Any]") -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()
        for name in TABLES:
            await connection.execute(f"VACUUM {name}")


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _batches(buyers: Sequence[int], rows: int) -> Iterator[list[int]]:
    around = cycle(buyers)
    while True:
        yield list(islice(around, rows))


def _spent(pid: int) -> float:
    """CPU seconds of a process to the nanosecond, where the system is Linux; else the time."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return time.perf_counter()
