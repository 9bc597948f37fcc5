"""What the tests of refunds share."""

from datetime import timedelta

from core.accounts.model import User
from core.audit.model import Operator
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.model import CHECK_AGAIN, Purchase
from core.purchases.refund import RefundPeriod
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.request_refund import RequestRefund
from core.purchases.views import PurchaseView
from tests.support.scope import Scope
from tests.support.world import World

REASON = "Requested by the buyer"


ADMIN = Operator(None)


PERIOD = RefundPeriod(timedelta(days=7))


async def request(world: World, ann: User, purchase: Purchase) -> None:
    await world.use_case(RequestRefund)(ann.id, purchase.order_id)


async def carry_out(world: World) -> int:
    """One pass, when everything is due again."""
    world.clock.advance(CHECK_AGAIN)
    return await world.use_case(CarryOutRefunds)()


async def look(world: World, purchase: Purchase) -> None:
    """The provider's webhook, twice."""
    for _ in range(2):
        await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)


async def ask(scope: Scope, world: World, purchase: Purchase) -> None:
    """The refund of all that is left, in an open transaction."""
    before = await scope.purchases.of_order(purchase.order_id, lock=True)
    at = world.clock.now()
    after = before.ask_refund(await world.ids.hold(), tokens=None, reason="Sorry.", period=PERIOD, at=at)
    await scope.purchases.save(after)
    await scope.ledger.hold(after.refund_hold(at=at))


async def ask_in_part(world: World, purchase: Purchase, tokens: int | None) -> PurchaseView:
    """As an admin."""
    return await world.use_case(RefundPurchase)(ADMIN, purchase.order_id, tokens=tokens, reason="Sorry.")


async def view(world: World, purchase: Purchase) -> PurchaseView:
    return await world.read.purchases.of_owner(purchase.user_id, purchase.order_id)


async def state(world: World, purchase: Purchase) -> tuple[str, int, int]:
    """Status, the money that has gone back, and the tokens for it."""
    found = await view(world, purchase)
    return found.status, found.refunded_price, found.refunded_tokens


async def owned(world: World, user: User) -> tuple[int, int, int, int]:
    """The tokens available, the bonus part of them, those on hold, and the debt."""
    balance = await world.balance(user.id)
    return balance.token_balance, balance.bonus_tokens, balance.held_tokens, balance.debt_tokens


def given_back(world: World, purchase: Purchase) -> list[int]:
    """The sums that went back at our request."""
    return world.payments.given_back[str(purchase.payment_key)]


def kept(world: World, purchase: Purchase) -> int:
    return int(world.payments.payments[str(purchase.payment_key)].kept)
