"""PaymentProvider: memory, and Toss's API over HTTP as the sandbox speaks it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import uuid4

import pytest

from adapters.memory.payment_provider import MemoryPaymentProvider
from adapters.toss.payment_provider import TossPayments
from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentProvider
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.secret import Secret
from tests.support.sandbox import SECRET_KEY, Sandbox, running_sandbox


class Buyer(Protocol):
    """What the buyer does on the payment page; agreeing answers the key that the browser comes back with."""

    async def agree(self, order: Order, url: str) -> str: ...

    async def agree_with_a_bad_card(self, order: Order, url: str) -> str: ...

    async def give_up(self, order: Order, url: str) -> None: ...

    async def take_back(self, key: str, amount: int) -> None:
        """Somebody cancels by hand at the provider."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    provider: PaymentProvider
    buyer: Buyer


class MemoryBuyer(Buyer):
    def __init__(self, provider: MemoryPaymentProvider) -> None:
        self._provider = provider

    async def agree(self, order: Order, url: str) -> str:
        return self._provider.agree(order.order_id)

    async def agree_with_a_bad_card(self, order: Order, url: str) -> str:
        self._provider.refuse(order.order_id)
        return self._provider.agree(order.order_id)

    async def give_up(self, order: Order, url: str) -> None:
        self._provider.give_up(order.order_id)

    async def take_back(self, key: str, amount: int) -> None:
        payment = self._provider.payments[key]
        self._provider.refund(payment.order_id, left=int(payment.kept) - amount)


class SandboxBuyer(Buyer):
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def agree(self, order: Order, url: str) -> str:
        return await self._key(order, url, "pay")

    async def agree_with_a_bad_card(self, order: Order, url: str) -> str:
        return await self._key(order, url, "refused")

    async def give_up(self, order: Order, url: str) -> None:
        back = await self._sandbox.choose(url, "decline")
        assert back.path == f"/return/{order.order_id}/fail"
        assert dict(back.params)["orderId"] == order.order_id
        assert dict(back.params)["code"] == "PAY_PROCESS_CANCELED"

    async def take_back(self, key: str, amount: int) -> None:
        await self._sandbox.take_back(key, amount)

    async def _key(self, order: Order, url: str, choice: str) -> str:
        back = await self._sandbox.choose(url, choice)
        parameters = dict(back.params)
        assert back.path == f"/return/{order.order_id}/success"
        assert (parameters["orderId"], parameters["amount"]) == (order.order_id, str(order.amount))
        return parameters["paymentKey"]


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["memory", "toss"])
async def case(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[Case]:
    if request.param == "memory":
        memory = MemoryPaymentProvider()
        yield Case(memory, MemoryBuyer(memory))
        return
    toss = TossPayments(Secret(SECRET_KEY), return_url="https://api.example/return", api_base=sandbox.url)
    yield Case(toss, SandboxBuyer(sandbox))
    await toss.close()


def an_order() -> Order:
    return Order(OrderId(f"order-{uuid4().hex}"), "500 tokens", 45_000, "KRW")


def paid(order: Order, key: str) -> Payment:
    return Payment(key, order.order_id, PaymentState.CAPTURED, Decimal(45_000), "KRW")


async def test_nothing_is_captured_before_the_buyer_agrees(case: Case) -> None:
    order = an_order()
    await case.provider.checkout(order)

    payment = await case.provider.payment_of(order.order_id)
    assert payment is not None
    assert payment == Payment(payment.key, order.order_id, PaymentState.PENDING, Decimal(45_000), "KRW")
    assert await case.provider.confirm(order.order_id, payment_key=payment.key, amount=45_000) == payment


async def test_nothing_is_captured_before_confirmation(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))

    payment = await case.provider.payment(key)
    assert payment is not None
    assert payment.state is PaymentState.PENDING


async def test_a_confirmed_payment_is_captured(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))

    assert await case.provider.confirm(order.order_id, payment_key=key, amount=45_000) == paid(order, key)

    assert await case.provider.payment(key) == paid(order, key)
    assert await case.provider.payment_of(order.order_id) == paid(order, key)


async def test_confirming_again_returns_the_same_payment(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))

    answers = [await case.provider.confirm(order.order_id, payment_key=key, amount=45_000) for _ in range(3)]

    assert answers == [paid(order, key)] * 3


async def a_paid_order(case: Case) -> tuple[Order, str]:
    """The order, and the payment's key."""
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))
    await case.provider.confirm(order.order_id, payment_key=key, amount=45_000)
    return order, key


async def cancel(case: Case, key: str, amount: int, *, once: str | None = None) -> Payment | PaymentFailure:
    idempotency_key = once or f"refund-{uuid4().hex}"
    return await case.provider.cancel(key, amount=amount, reason="Sorry.", idempotency_key=idempotency_key)


async def test_a_payment_is_refunded_in_parts(case: Case) -> None:
    order, key = await a_paid_order(case)
    part = Payment(key, order.order_id, PaymentState.CAPTURED, Decimal(30_000), "KRW")

    assert await cancel(case, key, 15_000) == part
    assert await case.provider.payment(key) == part

    rest = await cancel(case, key, 30_000)
    assert isinstance(rest, Payment)
    assert (rest.state, rest.kept) == (PaymentState.CANCELLED, Decimal(0))
    assert await case.provider.payment(key) == rest


async def test_an_idempotency_key_refunds_once(case: Case) -> None:
    _, key = await a_paid_order(case)

    first, again = [await cancel(case, key, 15_000, once=f"refund of {key}") for _ in range(2)]
    assert first == again
    assert (await case.provider.payment(key)) == first

    other = await cancel(case, key, 15_000)
    assert isinstance(other, Payment)
    assert other.kept == 15_000


async def test_refunding_more_than_the_rest_is_refused(case: Case) -> None:
    _, key = await a_paid_order(case)
    await cancel(case, key, 15_000)
    left = await case.provider.payment(key)

    for _ in range(2):
        refused = await cancel(case, key, 30_001, once=f"too much of {key}")
        assert isinstance(refused, PaymentFailure)
        assert refused.code == "NOT_CANCELABLE_AMOUNT"
    assert await case.provider.payment(key) == left


async def test_a_payment_cancelled_by_hand_cannot_be_refunded(case: Case) -> None:
    _, key = await a_paid_order(case)
    await case.buyer.take_back(key, 15_000)
    payment = await case.provider.payment(key)
    assert payment is not None
    assert (payment.state, payment.kept) == (PaymentState.CAPTURED, Decimal(30_000))

    await case.buyer.take_back(key, 30_000)
    payment = await case.provider.payment(key)
    assert payment is not None
    assert (payment.state, payment.kept) == (PaymentState.CANCELLED, Decimal(0))
    assert isinstance(await cancel(case, key, 1), PaymentFailure)


async def test_an_unpaid_or_unknown_payment_cannot_be_refunded(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))

    for nothing in (key, "made-up", "../confirm"):
        assert isinstance(await cancel(case, nothing, 1), PaymentFailure)
    payment = await case.provider.payment(key)
    assert payment is not None
    assert payment.state is PaymentState.PENDING


async def test_a_declined_card_ends_the_payment(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree_with_a_bad_card(order, await case.provider.checkout(order))

    for _ in range(2):
        payment = await case.provider.confirm(order.order_id, payment_key=key, amount=45_000)
        assert payment is not None
        assert payment.state is PaymentState.CANCELLED
        assert payment.failure is not None
        assert payment.failure.code == "REJECT_CARD_PAYMENT"


async def test_a_buyer_cancels_the_payment(case: Case) -> None:
    order = an_order()
    await case.buyer.give_up(order, await case.provider.checkout(order))

    payment = await case.provider.payment_of(order.order_id)
    assert payment is not None
    assert payment.state is PaymentState.CANCELLED
    assert payment.failure == PaymentFailure("PAY_PROCESS_CANCELED", "The buyer gave up.")


async def test_a_payment_captures_only_the_agreed_amount(case: Case) -> None:
    order = an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))

    payment = await case.provider.confirm(order.order_id, payment_key=key, amount=1)

    assert payment is not None
    assert (payment.state, payment.amount) == (PaymentState.PENDING, Decimal(45_000))


async def test_a_payment_belongs_to_its_order(case: Case) -> None:
    order, other = an_order(), an_order()
    key = await case.buyer.agree(order, await case.provider.checkout(order))
    await case.provider.checkout(other)

    payment = await case.provider.confirm(other.order_id, payment_key=key, amount=45_000)

    assert payment is not None
    assert (payment.order_id, payment.state) == (order.order_id, PaymentState.PENDING)


async def test_a_forged_payment_does_not_affect_the_real_one(case: Case) -> None:
    order = an_order()
    url = await case.provider.checkout(order)

    assert await case.provider.confirm(order.order_id, payment_key="made-up", amount=45_000) is None

    key = await case.buyer.agree(order, url)
    assert await case.provider.confirm(order.order_id, payment_key=key, amount=45_000) == paid(order, key)


@pytest.mark.parametrize("key", ["made-up", "orders/1", "../confirm", "한글", "a b", "%00", "x" * 200])
async def test_a_payment_unknown_to_the_provider_is_none(case: Case, key: str) -> None:
    assert await case.provider.payment(key) is None
    assert await case.provider.payment_of(OrderId(f"no-such-order-{uuid4().hex}")) is None
    assert await case.provider.confirm(an_order().order_id, payment_key=key, amount=45_000) is None
