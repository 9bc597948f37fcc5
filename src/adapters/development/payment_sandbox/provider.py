import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]
ApiAnswer = tuple[HTTPStatus, Json]


class TossError(Exception):
    """An error of Toss's API: status and code as in https://docs.tosspayments.com/reference/error-codes."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        self.answer: ApiAnswer = status, {"code": code, "message": message}
        super().__init__(message)


class Mode(Enum):
    """How the API behaves; the console changes it."""

    NORMAL = "normal"
    DOWN = "down"
    """Every call fails without effect."""
    SILENT = "silent"
    """Every call takes effect, but its answer is lost."""
    UNWILLING = "unwilling"
    """Cancellations are refused."""


class NoSuchPayment(TossError):
    def __init__(self) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, "NOT_FOUND_PAYMENT", "There is no such payment.")


class NoAnswer(TossError):
    """The call may have taken effect or not."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, "FAILED_INTERNAL_SYSTEM_PROCESSING", "Try again later.")


@dataclass(slots=True)
class Checkout:
    """A payment and its state."""

    payment_key: str
    order_id: str
    order_name: str
    amount: int
    success_url: str
    fail_url: str
    requested_at: datetime
    status: str = "READY"
    card_is_refused: bool = False
    approved_at: datetime | None = None
    failure: dict[str, str] | None = None
    cancels: list[Json] = field(default_factory=list)

    @property
    def left(self) -> int:
        """What is left after cancellations."""
        return self.amount - sum(int(cancel["cancelAmount"]) for cancel in self.cancels)


class SandboxPayments:
    """Toss payments in memory, card only. Calls with a known idempotency key get the first answer again."""

    def __init__(self, *, secret_key: str, url: str) -> None:
        self._authorization = f"Basic {base64.b64encode(f'{secret_key}:'.encode()).decode()}"
        self._url = url
        self._payments: dict[str, Checkout] = {}
        self._answered: dict[tuple[str, str], ApiAnswer] = {}
        self.mode = Mode.NORMAL
        self.events: list[Json] = []
        """Webhooks that are to be sent."""

    def authenticate(self, authorization: str) -> None:
        """Raises Refusal."""
        if not hmac.compare_digest(authorization.encode(), self._authorization.encode()):
            raise TossError(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED_KEY", "The secret key is not known.")

    def once(self, what: str, idempotency_key: str | None, work: Callable[[], Json]) -> ApiAnswer:
        """The first answer given for this idempotency key, or else the result of `work`."""
        known = self._answered.get((what, idempotency_key)) if idempotency_key else None
        if known:
            return known
        try:
            answer = HTTPStatus.OK, work()
        except TossError as refusal:
            answer = refusal.answer
        if idempotency_key:
            self._answered[what, idempotency_key] = answer
        return answer

    def create(self, asked: Json) -> Json:
        """Raises Refusal."""
        try:
            payment = Checkout(
                payment_key=f"sandbox_{secrets.token_urlsafe(18)}",
                order_id=str(asked["orderId"]),
                order_name=str(asked["orderName"]),
                amount=int(asked["amount"]),
                success_url=str(asked["successUrl"]),
                fail_url=str(asked["failUrl"]),
                requested_at=datetime.now(UTC),
            )
        except (KeyError, TypeError, ValueError):
            raise TossError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "The request is not complete.") from None
        self._payments[payment.payment_key] = payment
        return self._payment_object(payment)

    def confirm(self, asked: Json) -> Json:
        """Raises Refusal."""
        payment = self.payment(str(asked.get("paymentKey")))
        if (payment.order_id, payment.amount) != (asked.get("orderId"), asked.get("amount")):
            raise TossError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "Order or amount are not those of the payment.")
        if payment.status == "READY":
            raise TossError(HTTPStatus.NOT_FOUND, "NOT_FOUND_PAYMENT_SESSION", "The buyer has not agreed to pay.")
        if payment.status != "IN_PROGRESS":
            raise TossError(HTTPStatus.BAD_REQUEST, "ALREADY_PROCESSED_PAYMENT", "The payment has ended already.")
        if payment.card_is_refused:
            self._end(payment, "REJECT_CARD_PAYMENT", "The card was refused: over its limit, or without money.")
            raise TossError(HTTPStatus.FORBIDDEN, "REJECT_CARD_PAYMENT", "The card was refused.")
        payment.status = "DONE"
        payment.approved_at = datetime.now(UTC)
        return self._payment_object(payment)

    def cancel(self, payment_key: str, asked: Json) -> Json:
        """Give money of a payment back, by default all that is left. Raises TossError."""
        if self.mode is Mode.UNWILLING:
            raise TossError(HTTPStatus.FORBIDDEN, "NOT_CANCELABLE_PAYMENT", "The sandbox refuses to cancel.")
        payment = self.payment(payment_key)
        if payment.status == "CANCELED":
            raise TossError(HTTPStatus.BAD_REQUEST, "ALREADY_CANCELED_PAYMENT", "The payment is cancelled already.")
        amount = asked.get("cancelAmount", payment.left)
        if not asked.get("cancelReason") or type(amount) is not int or amount < 1:
            raise TossError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "A reason and an amount are needed.")
        if payment.status not in ("DONE", "PARTIAL_CANCELED"):
            raise TossError(HTTPStatus.FORBIDDEN, "NOT_CANCELABLE_PAYMENT", "Nothing was paid.")
        if amount > payment.left:
            raise TossError(HTTPStatus.FORBIDDEN, "NOT_CANCELABLE_AMOUNT", "That is more than is left.")
        payment.cancels.append(
            {
                "cancelAmount": amount,
                "cancelReason": asked["cancelReason"],
                "canceledAt": _now(),
                "transactionKey": secrets.token_hex(16),
                "refundableAmount": payment.left - amount,
                "cancelStatus": "DONE",
            }
        )
        payment.status = "PARTIAL_CANCELED" if payment.left else "CANCELED"
        changed = self._payment_object(payment)
        self.events.append({"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": _now(), "data": changed})
        return changed

    def paid(self) -> list[Checkout]:
        """All payments that were captured, the latest first."""
        return [payment for payment in reversed(self._payments.values()) if payment.approved_at]

    def look(self, payment_key: str) -> Json:
        """Raises NoSuchPayment."""
        return self._payment_object(self.payment(payment_key))

    def look_for(self, order_id: str) -> Json:
        """Raises NoSuchPayment."""
        for payment in reversed(self._payments.values()):
            if payment.order_id == order_id:
                return self._payment_object(payment)
        raise NoSuchPayment

    def payment(self, payment_key: str) -> Checkout:
        """Raises NoSuchPayment."""
        if payment := self._payments.get(payment_key):
            return payment
        raise NoSuchPayment

    def agree(self, payment: Checkout, *, card_is_refused: bool) -> str:
        """The buyer authorizes the payment; returns the URL to redirect the browser to."""
        if payment.status == "READY":
            payment.status = "IN_PROGRESS"
            payment.card_is_refused = card_is_refused
        back = {"paymentType": "NORMAL", "orderId": payment.order_id, "paymentKey": payment.payment_key}
        return _with_query(payment.success_url, back | {"amount": str(payment.amount)})

    def decline(self, payment: Checkout) -> str:
        """The buyer declines; returns the URL to redirect the browser to."""
        code, message = "PAY_PROCESS_CANCELED", "The buyer gave up."
        if payment.status == "READY":
            self._end(payment, code, message)
        return _with_query(payment.fail_url, {"code": code, "message": message, "orderId": payment.order_id})

    def _end(self, payment: Checkout, code: str, message: str) -> None:
        payment.status = "ABORTED"
        payment.failure = {"code": code, "message": message}

    def _payment_object(self, payment: Checkout) -> Json:
        """The Payment object, with the fields that apply here."""
        return {
            "mId": "sandbox",
            "version": "2022-11-16",
            "paymentKey": payment.payment_key,
            "type": "NORMAL",
            "orderId": payment.order_id,
            "orderName": payment.order_name,
            "currency": "KRW",
            "method": None if payment.status == "READY" else "CARD",
            "totalAmount": payment.amount,
            "balanceAmount": payment.left,
            "status": payment.status,
            "requestedAt": payment.requested_at.isoformat(timespec="seconds"),
            "approvedAt": payment.approved_at.isoformat(timespec="seconds") if payment.approved_at else None,
            "cancels": payment.cancels or None,
            "failure": payment.failure,
            "checkout": {"url": f"{self._url}/checkout/{payment.payment_key}"},
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _with_query(url: str, query: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
