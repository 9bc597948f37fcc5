"""A short run of `make test-faults`."""

from tests.faults.drill import perform
from tests.faults.plan import SHORT


async def test_faults_lose_and_double_nothing() -> None:
    said: list[str] = []

    record = await perform(SHORT, said.append)

    happened = record.counts
    assert happened["relays killed"] == SHORT.kills
    assert happened["servers killed"] >= SHORT.kills
    for fault in ("broker frozen", "queue full", "database crashed", "webhooks dropped", "further attempts"):
        assert happened[fault], fault
    for kept in ("images answered 201", "images answered 201 again", "images completed", "purchases paid"):
        assert happened[kept], kept
    assert "BROKEN" not in said[-1]
