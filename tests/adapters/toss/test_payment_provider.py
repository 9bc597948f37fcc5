"""Toss's API as documented at https://docs.tosspayments.com/reference, and its failures."""

import asyncio
import json
import logging
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from adapters.toss import payment_provider
from adapters.toss.payment_provider import TossPayments
from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentsUnavailable
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.secret import Secret
from tests.adapters.toss.scripted import Script, scripted_server
from tests.support.ports import free_port

SECRET_KEY = "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"
ORDER = Order(OrderId("a4CWyWY5m89PNh7xJwhk1"), "500 tokens", 45_000, "KRW")
KEY = "5zJ4xY7m0kODnyRpQWGrN2xqGlNvLrKwv1M9ENjbeoPaZdL6"


@pytest.fixture(scope="module")
def server() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def script(server: Script) -> Script:
    server.calls.clear()
    return server


@pytest.fixture(scope="module")
async def client(server: Script) -> AsyncIterator[TossPayments]:
    toss = at(server.url)
    yield toss
    await toss.close()


@pytest.fixture
async def toss(script: Script, client: TossPayments) -> TossPayments:
    return client


def at(url: str) -> TossPayments:
    return TossPayments(Secret(SECRET_KEY), return_url="https://api.example/return", api_base=url)


def a_payment(**changes: object) -> dict[str, object]:
    """The Payment object, version 2022-11-16, of a payment by card."""
    return {
        "mId": "tosspayments",
        "version": "2022-11-16",
        "lastTransactionKey": "B7103F204998813B889C77C043D09502",
        "paymentKey": KEY,
        "orderId": ORDER.order_id,
        "orderName": "500 tokens",
        "currency": "KRW",
        "method": "카드",
        "status": "DONE",
        "requestedAt": "2026-01-02T14:46:43+09:00",
        "approvedAt": "2026-01-02T14:46:58+09:00",
        "useEscrow": False,
        "cultureExpense": False,
        "card": {"issuerCode": "61", "number": "12341234****123*", "amount": 45000},
        "virtualAccount": None,
        "cancels": None,
        "secret": None,
        "type": "NORMAL",
        "country": "KR",
        "failure": None,
        "isPartialCancelable": True,
        "receipt": {"url": "https://dashboard.tosspayments.com/receipt"},
        "checkout": {"url": f"https://api.tosspayments.com/v1/payments/{KEY}/checkout"},
        "totalAmount": 45000,
        "balanceAmount": 45000,
        "suppliedAmount": 40909,
        "vat": 4091,
        "taxFreeAmount": 0,
        "taxExemptionAmount": 0,
        "metadata": None,
        **changes,
    }


def an_error(code: str) -> dict[str, str]:
    return {"code": code, "message": f"{code}, in words"}


async def cancel(toss: TossPayments, reason: str = "Sorry.") -> Payment | PaymentFailure:
    return await toss.cancel(KEY, amount=15_000, reason=reason, idempotency_key="refund:17")


Ask = Callable[[TossPayments], Awaitable[object]]
CALLS: dict[str, Ask] = {
    "checkout": lambda toss: toss.checkout(ORDER),
    "confirm": lambda toss: toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000),
    "cancel": cancel,
    "payment": lambda toss: toss.payment(KEY),
    "payment_of": lambda toss: toss.payment_of(ORDER.order_id),
}


@pytest.fixture(params=CALLS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return CALLS[request.param]


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


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_failed_creation_is_logged_without_the_key(
    script: Script, toss: TossPayments, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    script.json(status, an_error("UNAUTHORIZED_KEY"))

    with caplog.at_level(logging.ERROR), pytest.raises(PaymentsUnavailable):
        await toss.checkout(ORDER)

    assert "UNAUTHORIZED_KEY" in caplog.text
    assert SECRET_KEY not in caplog.text


@pytest.mark.parametrize(
    "changes", [{"totalAmount": 1}, {"currency": "USD"}, {"orderId": "another-order"}, {"checkout": None}]
)
async def test_a_created_payment_with_other_terms_is_refused(
    script: Script, toss: TossPayments, changes: dict[str, object]
) -> None:
    script.json(200, a_payment(status="READY", **changes))
    with pytest.raises(PaymentsUnavailable):
        await toss.checkout(ORDER)


# --- breakdowns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_unavailable(script: Script, toss: TossPayments, ask: Ask, status: int) -> None:
    script.json(status, an_error("FAILED_INTERNAL_SYSTEM_PROCESSING"))
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>Please wait ...</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"paymentKey": "k"',
        b"\xff\xfe",
        *(
            json.dumps(a_payment(**changes)).encode()
            for changes in (
                {"status": "SOMETHING_NEW"},
                {"status": None},
                {"totalAmount": None},
                {"totalAmount": "much"},
                {"totalAmount": True},
                {"paymentKey": 1},
                {"orderId": None},
                {"failure": "no"},
            )
        ),
    ],
)
async def test_a_malformed_response_is_unavailable(script: Script, toss: TossPayments, garbage: bytes) -> None:
    for ask in ("confirm", "cancel", "payment", "payment_of"):
        script.raw(200, garbage)
        with pytest.raises(PaymentsUnavailable):
            await CALLS[ask](toss)


@pytest.mark.parametrize(("status", "body"), [(404, b"<html>"), (404, b"{}"), (302, b""), (204, b"")])
async def test_an_unrecognized_404_does_not_mean_no_payment(
    script: Script, toss: TossPayments, status: int, body: bytes
) -> None:
    script.raw(status, body)
    with pytest.raises(PaymentsUnavailable):
        await toss.payment(KEY)


async def test_a_broken_connection_is_unavailable(script: Script, toss: TossPayments, ask: Ask) -> None:
    script.raw(200, b'{"paymentKey"', cut_off=True)
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)


async def test_an_unreachable_server_is_unavailable(ask: Ask) -> None:
    toss = at(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PaymentsUnavailable):
        await ask(toss)
    await toss.close()


async def test_a_silent_server_times_out(
    script: Script, toss: TossPayments, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = payment_provider.CONFIRM_TIMEOUT + payment_provider.LOOKUP_TIMEOUT
    assert promised <= 15
    monkeypatch.setattr(payment_provider, "CONFIRM_TIMEOUT", 0.25)
    monkeypatch.setattr(payment_provider, "LOOKUP_TIMEOUT", 0.25)

    async with asyncio.timeout(5):
        with pytest.raises(PaymentsUnavailable):
            await ask(toss)
    assert await asyncio.to_thread(script.called.wait, 5)
    assert len(script.calls) == 1


async def test_calls_succeed_after_an_outage(script: Script, toss: TossPayments) -> None:
    script.raw(200, b"<html>", cut_off=True)
    script.json(200, a_payment())

    with pytest.raises(PaymentsUnavailable):
        await toss.payment(KEY)
    payment: Any = await toss.payment(KEY)
    assert payment.key == KEY
