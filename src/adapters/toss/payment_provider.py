import asyncio
import logging
from decimal import Decimal
from hashlib import sha256
from typing import NoReturn
from urllib.parse import quote

import httpx
import msgspec

from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentProvider, PaymentsUnavailable
from core.purchases.payment import Payment, PaymentFailure, PaymentState
from core.secret import Secret

CONFIRM_TIMEOUT = 10.0
LOOKUP_TIMEOUT = 5.0
"""Seconds per call; cancellations take as long as confirmations. A refused confirmation is followed by a look-up;
together they stay within the port's promise.
"""

STATES = {
    "READY": PaymentState.PENDING,
    "IN_PROGRESS": PaymentState.PENDING,
    "WAITING_FOR_DEPOSIT": PaymentState.PENDING,
    "DONE": PaymentState.CAPTURED,
    "PARTIAL_CANCELED": PaymentState.CAPTURED,
    "CANCELED": PaymentState.CANCELLED,
    "ABORTED": PaymentState.CANCELLED,
    "EXPIRED": PaymentState.CANCELLED,
}
MAX_REASON = 200
"""Characters of a cancellation's reason."""
UNDECIDED = {httpx.codes.UNAUTHORIZED, httpx.codes.REQUEST_TIMEOUT, httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS}
"""Statuses that do not refuse a cancellation for good: a wrong key, a call under way with the same idempotency key, or
too many calls.
"""
OUR_FAULT = {"FORBIDDEN_REQUEST", "INCORRECT_BASIC_AUTH_FORMAT"}
"""Codes of status 403 that tell of our key and not of the payment."""
UNKNOWN_PAYMENT = {"NOT_FOUND_PAYMENT", "NOT_FOUND"}

_log = logging.getLogger(__name__)


class _Failure(msgspec.Struct):
    code: str
    message: str


class _Checkout(msgspec.Struct):
    url: str


class _Payment(msgspec.Struct, rename="camel"):
    """The fields of Toss's Payment object that are used."""

    payment_key: str
    order_id: str
    status: str
    currency: str
    total_amount: Decimal
    balance_amount: Decimal | None = None
    """What is left after cancellations."""
    failure: _Failure | None = None
    checkout: _Checkout | None = None


class TossPayments(PaymentProvider):
    """The browser returns to `success` or `fail` below the order's id at `return_url`. To be closed with `close`."""

    def __init__(self, secret_key: Secret, *, return_url: str, api_base: str) -> None:
        self._return_url = return_url
        self._client = httpx.AsyncClient(
            base_url=api_base,
            auth=httpx.BasicAuth(secret_key.reveal(), ""),
            headers={"Accept-Language": "en-US"},
            timeout=CONFIRM_TIMEOUT,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def checkout(self, order: Order) -> str:
        body = {
            "method": "CARD",
            "amount": order.amount,
            "orderId": order.order_id,
            "orderName": order.name,
            "successUrl": f"{self._return_url}/{order.order_id}/success",
            "failUrl": f"{self._return_url}/{order.order_id}/fail",
        }
        answer = await self._post("/v1/payments", body, idempotency_key=order.order_id)
        payment = _read(answer)
        as_asked = payment.total_amount == order.amount and payment.currency == order.currency_code
        if payment.checkout is None or payment.order_id != order.order_id or not as_asked:
            _unusable(answer)
        return payment.checkout.url

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> Payment | None:
        body = {"paymentKey": payment_key, "orderId": order_id, "amount": amount}
        # Toss replays the answer of an idempotency key even if it was a refusal: a forged payment key must not block
        # the order's real payment.
        once = f"{order_id}:{sha256(payment_key.encode()).hexdigest()}"
        answer = await self._post("/v1/payments/confirm", body, idempotency_key=once)
        if answer.is_success:
            return _payment(answer)
        _log.warning("Toss refused to confirm order=%s code=%s", order_id, _code(answer))
        return await self.payment(payment_key)

    async def cancel(
        self, payment_key: str, *, amount: int, reason: str, idempotency_key: str
    ) -> Payment | PaymentFailure:
        path = f"/v1/payments/{quote(payment_key, safe='')}/cancel"
        body = {"cancelReason": reason[:MAX_REASON], "cancelAmount": amount}
        answer = await self._post(path, body, idempotency_key=idempotency_key)
        if answer.is_success:
            return _payment(answer)
        failure = _failure(answer)
        undecided = not answer.is_client_error or answer.status_code in UNDECIDED
        if failure is None or undecided or failure.code in OUR_FAULT:
            _unusable(answer)
        return PaymentFailure(failure.code, failure.message)

    async def payment(self, payment_key: str) -> Payment | None:
        return await self._look(f"/v1/payments/{quote(payment_key, safe='')}")

    async def payment_of(self, order_id: OrderId) -> Payment | None:
        return await self._look(f"/v1/payments/orders/{quote(order_id, safe='')}")

    async def _post(self, path: str, body: dict[str, object], *, idempotency_key: str) -> httpx.Response:
        """Raises PaymentsUnavailable if Toss failed, in which case the effect is unknown."""
        request = self._client.build_request("POST", path, json=body, headers={"Idempotency-Key": idempotency_key})
        answer = await self._send(request, seconds=CONFIRM_TIMEOUT)
        if answer.is_server_error:
            _unusable(answer)
        return answer

    async def _look(self, path: str) -> Payment | None:
        answer = await self._send(self._client.build_request("GET", path), seconds=LOOKUP_TIMEOUT)
        if answer.status_code == httpx.codes.NOT_FOUND and _code(answer) in UNKNOWN_PAYMENT:
            return None
        return _payment(answer) if answer.is_success else _unusable(answer)

    async def _send(self, request: httpx.Request, *, seconds: float) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await self._client.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            raise PaymentsUnavailable from error


def _payment(answer: httpx.Response) -> Payment:
    payment = _read(answer)
    state = STATES.get(payment.status) or _unusable(answer)
    left = payment.total_amount if payment.balance_amount is None else payment.balance_amount
    return Payment(
        key=payment.payment_key,
        order_id=OrderId(payment.order_id),
        state=state,
        amount=left if state is PaymentState.CAPTURED else payment.total_amount,
        currency_code=payment.currency,
        failure=PaymentFailure(payment.failure.code, payment.failure.message) if payment.failure else None,
    )


def _read(answer: httpx.Response) -> _Payment:
    try:
        return msgspec.json.decode(answer.content, type=_Payment)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _unusable(answer)


def _code(answer: httpx.Response) -> str:
    """The code of Toss's error object, or empty."""
    failure = _failure(answer)
    return failure.code if failure else ""


def _failure(answer: httpx.Response) -> _Failure | None:
    """Toss's error object, if it is one."""
    try:
        return msgspec.json.decode(answer.content, type=_Failure)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _unusable(answer: httpx.Response) -> NoReturn:
    """An unusable answer: an error on their side or, for example with a wrong key, on ours."""
    request = answer.request
    _log.error(
        "unexpected answer from Toss method=%s path=%s status=%s code=%s",
        request.method,
        request.url.path,
        answer.status_code,
        _code(answer),
    )
    raise PaymentsUnavailable
