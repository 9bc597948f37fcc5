"""Toss Payments: the browser's return and a webhook. Neither is trusted."""

import logging
import re
from contextlib import suppress
from typing import Annotated, Any, Self
from urllib.parse import urlencode

import msgspec
from dishka import FromDishka
from litestar import Controller
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Redirect
from msgspec import Meta

from core.errors import DomainError
from core.identifiers import OrderId
from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import PaymentMismatch, PurchaseNotFound
from core.purchases.model import PurchaseStatus
from core.purchases.settle_purchase import SettlePurchase
from entrypoints.http.envelope import Success
from entrypoints.http.errors import AnyRequest
from entrypoints.http.lenient import LenientJson, read_object
from entrypoints.http.operation import RouteLimit, get, post
from entrypoints.http.security.access import session_ignored
from entrypoints.http.security.limits import count_payment_call
from entrypoints.http.state import state_of

MAX_KEY = 200
"""Maximum length of a payment key (Toss's documentation)."""
STATUS_CHANGED = "PAYMENT_STATUS_CHANGED"
UNREADABLE = "unreadable"
"""The type of an event that cannot be read."""
MAX_EVENT = 64 * 1024
"""Bytes of a webhook, which anybody can send; Toss sends two or three thousand."""
MAX_LOGGED = 300
"""Characters of an ignored event that are logged."""

_log = logging.getLogger(__name__)

_CODE = re.compile(r"[A-Z_]{1,100}")
_AMOUNT = re.compile(r"[0-9]{1,12}", re.ASCII)


class PaymentReturnController(Controller):
    """The browser's return from the payment page, once or repeatedly, with or without a session."""

    path = "/api/payments/toss/{order_id:str}"
    tags = ("Tokens",)

    @get(
        "/success",
        guard=session_ignored,
        limit=RouteLimit.PAYMENT,
        summary="Return from the payment page after paying",
        status=302,
    )
    async def success(
        self,
        order_id: FromPath[OrderId],
        request: AnyRequest,
        settle_purchase: FromDishka[SettlePurchase],
        payment_key: Annotated[str, QueryParameter(name="paymentKey")] = "",
        amount: FromQuery[str] = "",
    ) -> Redirect:
        if not 0 < len(payment_key) <= MAX_KEY or not _AMOUNT.fullmatch(amount):
            return _back(request, order_id, error=PaymentMismatch.code)
        try:
            await count_payment_call(request, order_id)
            status = await settle_purchase(order_id, payment_key=payment_key, amount=int(amount))
        except PaymentsUnavailable as unavailable:
            return _back(request, order_id, status=PurchaseStatus.PENDING, error=unavailable.code)
        except DomainError as refusal:
            return _back(request, order_id, error=refusal.code)
        return _back(request, order_id, status=status)

    @get(
        "/fail",
        guard=session_ignored,
        limit=RouteLimit.PAYMENT,
        summary="Return from the payment page without paying",
        status=302,
    )
    async def fail(
        self,
        order_id: FromPath[OrderId],
        request: AnyRequest,
        check_purchase: FromDishka[CheckPurchase],
        code: FromQuery[str] = "",
    ) -> Redirect:
        try:
            await count_payment_call(request, order_id)
            status = await check_purchase(order_id)
        except DomainError as refusal:
            return _back(request, order_id, error=refusal.code)
        return _back(request, order_id, status=status, error=code if _CODE.fullmatch(code) else None)


class PaymentHint(msgspec.Struct, frozen=True, rename="camel"):
    payment_key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY)]
    order_id: Annotated[OrderId, Meta(min_length=1, max_length=64)]


class PaymentEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event of Toss. One type is used: a payment's status has changed."""

    event_type: str = ""
    data: dict[str, Any] = {}

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Never raises: an event that cannot be read has no known type, since Toss repeats refused events for days."""
        try:
            return msgspec.convert(read_object(body), cls)
        except (DomainError, msgspec.ValidationError):
            return cls(UNREADABLE, {"body": body[:MAX_LOGGED].decode(errors="replace")})

    @property
    def hint(self) -> PaymentHint | None:
        """The payment whose status has changed, if the event is of that type and names one."""
        if self.event_type != STATUS_CHANGED:
            return None
        try:
            return msgspec.convert(self.data, PaymentHint)
        except msgspec.ValidationError:
            return None


NOTHING = PaymentEvent(UNREADABLE)
"""The event of an empty body."""


class TossWebhooks(Controller):
    path = "/toss"
    dto = LenientJson
    request_max_body_size = MAX_EVENT

    @post(
        "/payment",
        guard=session_ignored,
        limit=RouteLimit.PAYMENT,
        refusals=(PaymentsUnavailable,),
        summary="Report a payment event",
        status=200,
        malformed=422,
    )
    async def payment(
        self, request: AnyRequest, check_purchase: FromDishka[CheckPurchase], data: JSONBody[PaymentEvent] = NOTHING
    ) -> Success[None]:
        """Anyone can call this, so the response does not depend on the order or the body. Only an outage and an
        exceeded limit are errors, so that Toss repeats the event.
        """
        if hint := data.hint:
            await count_payment_call(request, hint.order_id)
            with suppress(PurchaseNotFound, PaymentMismatch):
                await check_purchase(hint.order_id, payment_key=hint.payment_key)
        else:
            _log.info("Toss event is ignored type=%.100r data=%s", data.event_type, repr(data.data)[:MAX_LOGGED])
        return Success(data=None)


def _back(
    request: AnyRequest, order_id: OrderId, *, status: PurchaseStatus | None = None, error: str | None = None
) -> Redirect:
    """Redirect to the page that shows the purchase's status."""
    query: dict[str, str] = {"order_id": order_id}
    if status is not None:
        query["status"] = status.value
    if error is not None:
        query["error"] = error.lower()
    frontend = state_of(request.app).settings.frontend_url or ""
    return Redirect(f"{frontend}/purchases?{urlencode(query)}", status_code=302)
