"""The duration of `reconcile` on a ledger of a million transfers."""

import asyncio
import tempfile
import time
from pathlib import Path

import asyncpg
import msgspec
from dishka import AsyncContainer

from benchmarks.stage import environ
from benchmarks.users import populate
from core.tokens.reconcile import Reconcile
from core.tokens.reconciliation import Invariant
from entrypoints.container import create_container
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database
from entrypoints.settings import Settings, read_settings
from tests.support.fills import ledger
from tests.support.fills.fill import filling

SECONDS = 10.0
"""Target for the reconciliation of a million transfers."""

COMPLETED, FAILED, QUEUED = 270_000, 60_000, 10_000
SALES, WITHDRAWALS = 50_000, 5_000


class Looked(msgspec.Struct, frozen=True):
    transfers: int
    generations: int
    seconds: list[float]


def look(*, rounds: int) -> Looked:
    """Fill a ledger and reconcile it several times; its database is removed afterwards."""
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
        transfers = await _make(settings.database_dsn())
        looks = [await _timed(container) for _ in range(rounds)]
    finally:
        await container.close()
    return Looked(transfers, looks[0][1], [seconds for seconds, _ in looks])


async def _timed(container: AsyncContainer) -> tuple[float, int]:
    """Seconds, and the number of images checked."""
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
    """Returns the number of transfers."""
    async with filling(url) as fill:
        await ledger.generations(fill, completed=COMPLETED, failed=FAILED, queued=QUEUED, public=False, fee=1)
        await ledger.purchases(fill, SALES)
        await ledger.withdrawals(fill, WITHDRAWALS)
        await ledger.balances(fill)
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM transfers")
        return count
    finally:
        await connection.close()
