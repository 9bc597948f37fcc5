import pytest

from core.purchases.start_purchase import StartPurchase
from tests.support.world import MemoryWorld


async def test_a_purchase_that_is_not_paid_brings_no_tokens(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    started = await world.use_case(StartPurchase)(ann.id, "standard_500")
    async with world.block() as scope:
        purchase = await scope.purchases.of_order(started.order_id, lock=True)

    with pytest.raises(ValueError, match="has not been paid"):
        purchase.credit()
