import pytest

from core.purchases.start_purchase import StartPurchase
from tests.support.memory_world import MemoryWorld


async def test_an_unpaid_purchase_has_no_credit(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    started = await world.use_case(StartPurchase)(ann.id, "standard_500")
    async with world.block() as scope:
        purchase = await scope.purchases.of_order(started.order_id, lock=True)

    with pytest.raises(ValueError, match="has not been paid"):
        purchase.credit()
