"""The benchmarks' databases satisfy the invariants that the service keeps."""

import pytest

from core.generations.views import FeedQuery
from core.paging import PageRequest
from core.tokens.reconcile import Reconcile
from tests.contracts.postgres_world import PostgresWorld
from tests.support.fills import ledger
from tests.support.fills.fill import filling


@pytest.mark.parametrize("fee", [0, 1])
async def test_a_generated_ledger_reconciles(world: PostgresWorld, database_url: str, fee: int) -> None:
    mia = await world.artist("mia")
    styles = [await world.style(mia, name) for name in ("Ink", "Oil")]
    for name in ("ann", "bob"):
        await world.user(name, tokens=1_000_000)

    async with filling(database_url) as fill:
        await ledger.generations(fill, completed=20, failed=6, queued=4, public=True, fee=fee)
        await ledger.purchases(fill, 5)
        await ledger.withdrawals(fill, 3)
        await ledger.uses(fill)
        await ledger.balances(fill)

    reconciliation = await world.use_case(Reconcile)()
    assert reconciliation.sound, reconciliation.findings
    assert len((await world.read.generations.feed(FeedQuery(), viewer=None, page=PageRequest(100))).rows) == 20
    assert (await world.funds(mia.id)).earned_token_balance == 20 * (30 - fee) - 3 * 10
    counts = [(await world.read.styles.detail(style.id, viewer=None)).usage_count for style in styles]
    assert sum(counts) == 20
