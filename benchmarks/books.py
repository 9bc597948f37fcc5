"""A ledger of a million transfers, and how long it takes to prove that it is in order."""

import asyncio
import tempfile
import time
from pathlib import Path

import asyncpg
import msgspec
from dishka import AsyncContainer

from adapters.postgres.books import MOVED
from benchmarks.people import populate
from benchmarks.stage import environ
from core.tokens.reconcile import Reconcile
from core.tokens.reconciliation import Invariant
from entrypoints.container import create_container
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database
from entrypoints.settings import Settings, read_settings

SECONDS = 10.0
"""Within which a million transfers are to be proven in order."""

COMPLETED, FAILED, QUEUED = 270_000, 60_000, 10_000
SALES, WITHDRAWALS = 50_000, 5_000

# What years of calls would have left, all at once. The rules of the schema would look at each row: reconciling does.
MAKE = f"""
SET LOCAL session_replication_role = replica;

CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('generations', 'id')) AS id,
    nextval(pg_get_serial_sequence('transfers', 'id')) AS hold_id,
    buyer.owner_id, buyer.id AS wallet_id, style.id AS style_id, style.artist_id, earning.id AS earning_id,
    style.generation_cost_tokens AS tokens, now() - number * interval '1 second' AS at,
    CASE WHEN number <= {COMPLETED} THEN 'completed' WHEN number <= {COMPLETED + FAILED} THEN 'failed' ELSE 'queued' END
        AS status
FROM generate_series(1, {COMPLETED + FAILED + QUEUED}) number
JOIN (
    SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many
    FROM accounts WHERE kind = 'wallet' AND balance >= 1000000
) buyer ON buyer.place = number % buyer.many + 1
JOIN (
    SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many FROM styles
) style ON style.place = number % style.many + 1
JOIN accounts earning ON earning.kind = 'earnings' AND earning.owner_id = style.artist_id;

INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT hold_id, 'hold', 'generation:' || id, 'generation', wallet_id, earning_id, tokens, id, at FROM made;

INSERT INTO transfers
    (phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, created_at)
SELECT CASE status WHEN 'completed' THEN 'post' ELSE 'void' END, 'generation:' || id, 'generation', wallet_id,
    earning_id, tokens, hold_id, id, at
FROM made WHERE status <> 'queued';

INSERT INTO transfers
    (phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT 'single', 'fee:generation:' || made.id, 'fee', earning_id, fees.id, 1, made.id, at
FROM made, accounts fees WHERE status = 'completed' AND fees.kind = 'fees';

INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, failure_code, failure_message, metadata, created_at, updated_at, ended_at, fee_tokens
)
SELECT id, owner_id, style_id, artist_id, tokens, hold_id, '1:1', '{{woman,portrait}}', gen_random_uuid(), status, 1,
    CASE status WHEN 'completed' THEN 'generations/' || id || '.png' END,
    CASE status WHEN 'failed' THEN 'GENERATION_ERROR' END, CASE status WHEN 'failed' THEN 'No.' END,
    '{{}}', at, at, CASE WHEN status <> 'queued' THEN at END, CASE status WHEN 'completed' THEN 1 ELSE 0 END
FROM made;

CREATE TEMPORARY TABLE sold ON COMMIT DROP AS
SELECT 'order-' || number AS order_id, owner_id, wallet_id, now() - number * interval '1 minute' AS at
FROM generate_series(1, {SALES}) number
JOIN (SELECT DISTINCT owner_id, wallet_id, dense_rank() OVER (ORDER BY wallet_id) AS place FROM made) buyer
    ON buyer.place = number % (SELECT count(DISTINCT wallet_id) FROM made) + 1;

INSERT INTO purchases (
    order_id, user_id, package_id, amount_tokens, total_price, price_per_token, currency_code, created_at, expires_at,
    check_at, status, payment_key, ended_at
)
SELECT order_id, owner_id, 'basic_100', 100, 10000, 100, 'KRW', at, at, at, 'paid', 'key-' || order_id, at FROM sold;

INSERT INTO transfers (
    phase, reference, kind, debit_account_id, credit_account_id, amount, order_id, price_per_token, total_price,
    currency_code, created_at
)
SELECT 'single', 'purchase:' || order_id, 'purchase', issuance.id, wallet_id, 100, order_id, 100, 10000, 'KRW', at
FROM sold, accounts issuance WHERE issuance.kind = 'issuance';

CREATE TEMPORARY TABLE withdrawn ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('withdrawals', 'id')) AS id,
    nextval(pg_get_serial_sequence('transfers', 'id')) AS hold_id,
    earning.owner_id, earning.id AS earning_id, now() - number * interval '1 hour' AS at
FROM generate_series(1, {WITHDRAWALS}) number
JOIN (
    SELECT *, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS many FROM accounts WHERE kind = 'earnings'
) earning ON earning.place = number % earning.many + 1;

INSERT INTO transfers (id, phase, reference, kind, debit_account_id, credit_account_id, amount, created_at)
SELECT hold_id, 'hold', 'withdrawal:' || withdrawn.id, 'withdrawal', earning_id, issuance.id, 10, at
FROM withdrawn, accounts issuance WHERE issuance.kind = 'issuance';

INSERT INTO transfers (phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, created_at)
SELECT 'post', 'withdrawal:' || withdrawn.id, 'withdrawal', earning_id, issuance.id, 10, hold_id, at
FROM withdrawn, accounts issuance WHERE issuance.kind = 'issuance';

INSERT INTO withdrawals (id, artist_id, amount, hold_id, created_at, status, ended_at, ended_by)
SELECT id, owner_id, 10, hold_id, at, 'settled', at, owner_id FROM withdrawn;

DELETE FROM balance_deltas;
UPDATE accounts SET balance = coalesce(moved, 0), held = side.held FROM ({MOVED}) side WHERE account_id = accounts.id;
"""


class Looked(msgspec.Struct, frozen=True):
    transfers: int
    generations: int
    seconds: list[float]


def look(*, rounds: int) -> Looked:
    """Set a ledger up and reconcile it, some times over; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="style-license-benchmark-") as directory:
        database = embedded_database(Path(directory) / "postgres")
        try:
            url = database.start()
            upgrade_database(url)
            settings = read_settings({**environ(url), "DATA_DIR": str(Path(directory) / "service")})
            return asyncio.run(_look(settings, rounds=rounds))
        finally:
            database.stop()


async def _look(settings: Settings, *, rounds: int) -> Looked:
    container = create_container(settings)
    try:
        await populate(container)
        transfers = await _make(settings.database_url or "")
        looks = [await _timed(container) for _ in range(rounds)]
    finally:
        await container.close()
    return Looked(transfers, looks[0][1], [seconds for seconds, _ in looks])


async def _timed(container: AsyncContainer) -> tuple[float, int]:
    """Seconds, and images that were looked at."""
    async with container() as request:
        reconcile = await request.get(Reconcile)
        started = time.perf_counter()
        reconciliation = await reconcile()
        seconds = time.perf_counter() - started
    if not reconciliation.sound:
        raise RuntimeError(f"a ledger that is not in order: {reconciliation.findings}")
    checked = {finding.invariant: finding.checked for finding in reconciliation.findings}
    return seconds, checked[Invariant.GENERATIONS_SETTLED]


async def _make(url: str) -> int:
    """Answers how many transfers there are."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(MAKE)
        await connection.execute("VACUUM ANALYZE")
        count: int = await connection.fetchval("SELECT count(*) FROM transfers")
        return count
    finally:
        await connection.close()
