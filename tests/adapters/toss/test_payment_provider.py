"""Toss's API as documented at https://docs.tosspayments.com/reference."""

from base64 import b64decode
from decimal import Decimal

import pytest

from adapters.toss.payment_provider import TossPayments
from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from tests.adapters.toss.scripted import Script
from tests.adapters.toss.steps import KEY, ORDER, SECRET_KEY, Ask, a_payment, an_error, cancel

# --- what goes over the wire ------------------------------------------------------------------------------------------


async def test_a_created_payment_has_the_checkout_url_of_toss(script: Script, toss: TossPayments) -> None:
    script.json(200, a_payment(status="READY", approvedAt=None, method=None))

    assert await toss.checkout(ORDER) == f"https://api.tosspayments.com/v1/payments/{KEY}/checkout"

    [call] = script.calls
    assert (call.method, call.path) == ("POST", "/v1/payments")
    assert call.body == {
        "method": "CARD",
        "amount": 45000,
        "orderId": ORDER.order_id,
        "orderName": "500 tokens",
        "successUrl": f"https://api.example/return/{ORDER.order_id}/success",
        "failUrl": f"https://api.example/return/{ORDER.order_id}/fail",
    }
    assert call.headers["idempotency-key"] == ORDER.order_id


async def test_every_call_is_authenticated_with_the_secret_key(script: Script, toss: TossPayments, ask: Ask) -> None:
    script.json(200, a_payment())

    await ask(toss)

    scheme, _, credentials = script.calls[0].headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert b64decode(credentials).decode() == f"{SECRET_KEY}:"


async def test_a_confirmation_has_its_own_idempotency_key(script: Script, toss: TossPayments) -> None:
    for _ in range(3):
        script.json(200, a_payment())

    await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000)
    await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000)
    await toss.confirm(ORDER.order_id, payment_key="another", amount=45_000)

    first, again, another = script.calls
    assert (first.method, first.path) == ("POST", "/v1/payments/confirm")
    assert first.body == {"paymentKey": KEY, "orderId": ORDER.order_id, "amount": 45000}
    keys = [call.headers["idempotency-key"] for call in (first, again, another)]
    assert keys[0] == keys[1] != keys[2]
    assert all(key.startswith(f"{ORDER.order_id}:") and len(key) <= 300 for key in keys)


async def test_payments_are_looked_up_by_key_and_by_order(script: Script, toss: TossPayments) -> None:
    script.json(200, a_payment())
    script.json(200, a_payment())

    taken = Payment(KEY, ORDER.order_id, PaymentState.CAPTURED, Decimal(45_000), "KRW")
    assert await toss.payment(KEY) == taken
    assert await toss.payment_of(ORDER.order_id) == taken

    assert [(call.method, call.path) for call in script.calls] == [
        ("GET", f"/v1/payments/{KEY}"),
        ("GET", f"/v1/payments/orders/{ORDER.order_id}"),
    ]


async def test_a_payment_key_is_one_path_segment(script: Script, toss: TossPayments) -> None:
    script.json(404, an_error("NOT_FOUND_PAYMENT"))
    assert await toss.payment("orders/../x?y#z") is None
    assert script.calls[0].path == "/v1/payments/orders%2F..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("READY", PaymentState.PENDING),
        ("IN_PROGRESS", PaymentState.PENDING),
        ("WAITING_FOR_DEPOSIT", PaymentState.PENDING),
        ("DONE", PaymentState.CAPTURED),
        ("PARTIAL_CANCELED", PaymentState.CAPTURED),
        ("CANCELED", PaymentState.CANCELLED),
        ("ABORTED", PaymentState.CANCELLED),
        ("EXPIRED", PaymentState.CANCELLED),
    ],
)
async def test_states_of_toss_are_mapped(script: Script, toss: TossPayments, status: str, state: PaymentState) -> None:
    script.json(200, a_payment(status=status))
    payment = await toss.payment(KEY)
    assert payment is not None
    assert (payment.state, payment.amount, payment.currency_code) == (state, Decimal(45_000), "KRW")


async def test_a_refunded_payment_is_not_captured(script: Script, toss: TossPayments) -> None:
    script.json(200, a_payment(status="PARTIAL_CANCELED", balanceAmount=30000))
    payment = await toss.payment(KEY)
    assert payment is not None
    assert (payment.state, payment.amount) == (PaymentState.CAPTURED, Decimal(30_000))


async def test_amounts_are_exact(script: Script, toss: TossPayments) -> None:
    script.json(200, a_payment(currency="USD", totalAmount=45000.01, balanceAmount=None))
    payment = await toss.payment(KEY)
    assert payment is not None
    assert (payment.amount, payment.currency_code) == (Decimal("45000.01"), "USD")


async def test_a_cancellation_has_a_reason_and_an_idempotency_key(script: Script, toss: TossPayments) -> None:
    script.json(200, a_payment(status="PARTIAL_CANCELED", balanceAmount=30000, cancels=[{"cancelAmount": 15000}]))
    script.json(200, a_payment(status="CANCELED", balanceAmount=0))

    assert await cancel(toss) == Payment(KEY, ORDER.order_id, PaymentState.CAPTURED, Decimal(30_000), "KRW")
    rest = await cancel(toss, "!" * 500)

    assert isinstance(rest, Payment)
    assert rest.kept == 0
    first, second = script.calls
    assert (first.method, first.path) == ("POST", f"/v1/payments/{KEY}/cancel")
    assert first.body == {"cancelReason": "Sorry.", "cancelAmount": 15000}
    assert first.headers["idempotency-key"] == "refund:17"
    assert second.body["cancelReason"] == "!" * 200  # the longest that Toss accepts


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "REJECT_CARD_PAYMENT"),
        (403, "REJECT_ACCOUNT_PAYMENT"),
        (400, "INVALID_STOPPED_CARD"),
        (400, "PROVIDER_ERROR"),
    ],
)
async def test_after_a_refused_confirmation_the_payment_is_looked_up(
    script: Script, toss: TossPayments, status: int, code: str
) -> None:
    script.json(status, an_error(code))
    script.json(200, a_payment(status="ABORTED", approvedAt=None, failure=an_error(code)))

    payment = await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000)

    assert payment is not None
    assert payment.state is PaymentState.CANCELLED
    assert payment.failure == PaymentFailure(code, f"{code}, in words")


async def test_a_payment_that_was_confirmed_before_is_captured(script: Script, toss: TossPayments) -> None:
    script.json(400, an_error("ALREADY_PROCESSED_PAYMENT"))
    script.json(200, a_payment())

    payment = await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000)

    assert payment is not None
    assert payment.state is PaymentState.CAPTURED


async def test_a_payment_that_is_being_confirmed_is_pending(script: Script, toss: TossPayments) -> None:
    script.json(409, an_error("IDEMPOTENT_REQUEST_PROCESSING"))
    script.json(200, a_payment(status="IN_PROGRESS", approvedAt=None))

    payment = await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000)

    assert payment is not None
    assert payment.state is PaymentState.PENDING


async def test_a_payment_unknown_to_toss_is_none(script: Script, toss: TossPayments) -> None:
    script.json(404, an_error("NOT_FOUND_PAYMENT_SESSION"))
    script.json(404, an_error("NOT_FOUND_PAYMENT"))
    assert await toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ALREADY_CANCELED_PAYMENT"),
        (400, "NOT_MATCHES_REFUNDABLE_AMOUNT"),
        (400, "PROVIDER_ERROR"),
        (403, "NOT_CANCELABLE_AMOUNT"),
        (403, "NOT_ALLOWED_PARTIAL_REFUND"),
        (403, "EXCEED_MAX_REFUND_DUE"),
        (404, "NOT_FOUND_PAYMENT"),
    ],
)
async def test_a_refused_cancellation_says_why(script: Script, toss: TossPayments, status: int, code: str) -> None:
    script.json(status, an_error(code))
    assert await cancel(toss) == PaymentFailure(code, f"{code}, in words")
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "UNAUTHORIZED_KEY"),
        (403, "FORBIDDEN_REQUEST"),
        (403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (408, "REQUEST_TIMEOUT"),
        (409, "IDEMPOTENT_REQUEST_PROCESSING"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "FAILED_REFUND_PROCESS"),
        (302, "MOVED"),
    ],
)
async def test_a_cancellation_that_may_still_succeed_is_not_refused(
    script: Script, toss: TossPayments, status: int, code: str
) -> None:
    script.json(status, an_error(code))
    with pytest.raises(PaymentsUnavailable):
        await cancel(toss)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code": 1, "message": "x"}'])
async def test_an_unrecognized_refusal_of_a_cancellation_is_unavailable(
    script: Script, toss: TossPayments, body: bytes
) -> None:
    script.raw(403, body)
    with pytest.raises(PaymentsUnavailable):
        await cancel(toss)
