"""What the tests of purchases share."""

from core.accounts.model import User
from core.identifiers import OrderId
from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE, PurchaseStatus
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import PurchaseView, StartedPurchase
from tests.support.memory_world import MemoryWorld

ALL_TIME = TIME_TO_PAY + TIME_TO_SETTLE


PAID, PENDING, FAILED, EXPIRED = (
    PurchaseStatus.PAID,
    PurchaseStatus.PENDING,
    PurchaseStatus.FAILED,
    PurchaseStatus.EXPIRED,
)


async def start(world: MemoryWorld, buyer: User, package_id: str = "standard_500") -> StartedPurchase:
    return await world.use_case(StartPurchase)(buyer.id, package_id)


async def settle(world: MemoryWorld, order_id: OrderId, *, key: str, amount: int = 45_000) -> PurchaseStatus:
    return await world.use_case(SettlePurchase)(order_id, payment_key=key, amount=amount)


async def agreed(world: MemoryWorld) -> tuple[User, OrderId, str]:
    """A user who has agreed to pay 45,000 for 500 tokens, the order, and the payment key."""
    buyer = await world.user("ann")
    order_id = (await start(world, buyer)).order_id
    return buyer, order_id, world.payments.agree(order_id)


async def tokens(world: MemoryWorld, user: User) -> int:
    return (await world.funds(user.id)).token_balance


async def view(world: MemoryWorld, user: User, order_id: OrderId) -> PurchaseView:
    return await world.read.purchases.of_owner(user.id, order_id)


async def status(world: MemoryWorld, user: User, order_id: OrderId) -> str:
    return (await view(world, user, order_id)).status
