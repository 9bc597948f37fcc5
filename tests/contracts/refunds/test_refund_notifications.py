"""Buyers are notified of refunds that have ended, and of charge-backs, once each."""

from typing import Any

import pytest

from core.account_deletion.erase_accounts import EraseAccounts
from core.accounts.model import User
from core.audit.model import Operator
from core.moderation.suspend_user import SuspendUser
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.purchases.model import Purchase
from core.styles.model import Style
from tests.contracts.deletion.steps import delete
from tests.contracts.refunds.steps import REASON, ask_in_part, carry_out, look, owned, request, state
from tests.support.world import World

REFUSAL = {"error_code": "NOT_CANCELABLE_AMOUNT", "error_message": "This cannot be given back."}
SUPERSEDED = {"error_code": "CHARGED_BACK", "error_message": "The money has gone back in another way."}


async def notified(world: World, user: User) -> list[tuple[str, dict[str, Any]]]:
    """Type and metadata of the notifications of purchases, sorted."""
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    events = [(item.type, item.metadata) for item in page.rows if item.target_type == "purchase"]
    return sorted(events, key=lambda event: (event[0], event[1]["price"]))


def metadata(purchase: Purchase, tokens: int, price: int, **more: str) -> dict[str, Any]:
    return {"order_id": purchase.order_id, "tokens": tokens, "price": price, "currency_code": "KRW", **more}


async def test_a_buyer_is_notified_of_a_completed_refund(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    assert await notified(world, ann) == []

    await carry_out(world)
    await look(world, purchase)

    page, unread = await world.read.notifications.list(ann.id, unread_only=True, page=PageRequest())
    assert unread == 1
    assert page.rows == [
        NotificationItem(
            id=page.rows[0].id,
            type="purchase_refunded",
            actor=None,
            target_type="purchase",
            target_id=None,
            target=None,
            metadata=metadata(purchase, 100, 10_000, reason=REASON),
            is_read=False,
            created_at=world.clock.now(),
        )
    ]


async def test_a_buyer_is_notified_of_each_partial_refund(world: World, ann: User, purchase: Purchase) -> None:
    for tokens in (30, 30):
        await ask_in_part(world, purchase, tokens)
        await carry_out(world)

    part = metadata(purchase, 30, 3_000, reason="Sorry.")
    assert await notified(world, ann) == [("purchase_refunded", part)] * 2


async def test_a_refund_ended_by_a_webhook_is_notified_once(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    world.payments.refund(purchase.order_id, left=0)

    await look(world, purchase)
    await carry_out(world)

    completed = metadata(purchase, 100, 10_000, reason=REASON)
    assert await notified(world, ann) == [("purchase_refunded", completed)]


async def test_a_buyer_is_notified_of_a_refusal_and_of_the_next_refund(
    world: World, ann: User, purchase: Purchase
) -> None:
    await request(world, ann, purchase)
    world.payments.refuse_to_refund(purchase.order_id)
    for _ in range(2):
        await carry_out(world)
    refused = ("refund_refused", metadata(purchase, 100, 10_000, reason=REASON, **REFUSAL))
    assert await notified(world, ann) == [refused]

    world.payments.agree_to_refund(purchase.order_id)
    await request(world, ann, purchase)
    await carry_out(world)

    completed = ("purchase_refunded", metadata(purchase, 100, 10_000, reason=REASON))
    assert await notified(world, ann) == [completed, refused]


async def test_an_outage_of_the_provider_notifies_nobody(world: World, ann: User, purchase: Purchase) -> None:
    await request(world, ann, purchase)
    world.payments.reachable = False
    await carry_out(world)

    assert await notified(world, ann) == []


async def test_a_buyer_is_notified_of_each_charge_back(
    world: World, ann: User, style: Style, purchase: Purchase
) -> None:
    for _ in range(3):
        await world.image(ann, style)
    world.payments.refund(purchase.order_id, left=7_000)
    await look(world, purchase)
    world.payments.refund(purchase.order_id, left=0)
    await look(world, purchase)

    assert await notified(world, ann) == [
        ("purchase_charged_back", metadata(purchase, 30, 3_000)),
        ("purchase_charged_back", metadata(purchase, 70, 7_000)),
    ]
    assert await owned(world, ann) == (0, 0, 0, 50)


async def test_more_money_than_the_refund_is_notified_as_a_charge_back(
    world: World, ann: User, purchase: Purchase
) -> None:
    await ask_in_part(world, purchase, 30)
    world.payments.refund(purchase.order_id, left=2_000)
    await look(world, purchase)

    assert await notified(world, ann) == [
        ("purchase_charged_back", metadata(purchase, 50, 5_000)),
        ("purchase_refunded", metadata(purchase, 30, 3_000, reason="Sorry.")),
    ]


async def test_a_charge_back_that_ends_a_refund_is_notified_with_its_refusal(
    world: World, ann: User, purchase: Purchase
) -> None:
    await request(world, ann, purchase)
    world.payments.refund(purchase.order_id, left=4_000)
    await look(world, purchase)

    assert await state(world, purchase) == ("paid", 6_000, 60)
    assert await notified(world, ann) == [
        ("purchase_charged_back", metadata(purchase, 60, 6_000)),
        ("refund_refused", metadata(purchase, 100, 10_000, reason=REASON, **SUPERSEDED)),
    ]


@pytest.mark.parametrize("left", [3_000, 10_000])
async def test_a_refund_of_a_deleted_account_notifies_nobody(
    world: World, ann: User, purchase: Purchase, left: int
) -> None:
    """Neither its end nor, with less money left, a charge-back meanwhile."""
    await request(world, ann, purchase)
    await delete(world, ann)
    await world.use_case(EraseAccounts)()
    if left < purchase.total_price:
        world.payments.refund(purchase.order_id, left=left)
        await look(world, purchase)

    await carry_out(world)

    async with world.block() as scope:
        found = await scope.purchases.of_order(purchase.order_id)
    assert found.refunded_price == (7_000 if left == 3_000 else 10_000)
    assert found.open_refund is None
    assert await notified(world, ann) == []


async def test_a_suspended_buyer_is_notified(world: World, ann: User, purchase: Purchase) -> None:
    await world.use_case(SuspendUser)(Operator(None), ann.id, reason="Spam.")
    await ask_in_part(world, purchase, None)
    await carry_out(world)

    refunded = metadata(purchase, 100, 10_000, reason="Sorry.")
    assert await notified(world, ann) == [("purchase_refunded", refunded)]
