import json
import logging
from contextlib import suppress
from http import HTTPStatus

import httpx

from adapters.development.payment_sandbox.pages import checkout_page, console_page, refusal_page
from adapters.development.payment_sandbox.provider import (
    ApiAnswer,
    Json,
    Mode,
    NoAnswer,
    NoSuchPayment,
    SandboxPayments,
    TossError,
)
from adapters.development.stand_in import (
    Answer,
    ASGIApp,
    Message,
    Receive,
    Request,
    Send,
    WithStandIn,
    as_json,
    as_page,
    to,
)

WEBHOOK = "/api/webhooks/toss/payment"

_log = logging.getLogger(__name__)


class WithSandboxPayments(WithStandIn):
    """ASGI middleware that serves Toss's API, its checkout page and its console below `path`.

    The service gets a webhook when money was given back. It is sent once, after the answer.
    """

    def __init__(self, app: ASGIApp, provider: SandboxPayments, *, path: str) -> None:
        super().__init__(app, self._answered, path=path)
        self._provider = provider
        self._service = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        while self._provider.events:
            event = self._provider.events.pop(0)
            transport = httpx.ASGITransport(self._service, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.post(WEBHOOK, json=event)
            _log.info("sandbox sent a webhook order=%s answer=%d", event["data"]["orderId"], answer.status_code)

    def _answered(self, request: Request) -> Answer:
        if request.path.startswith("/checkout/"):
            return self._checkout(request)
        if request.path == "/console":
            return self._console(request)
        try:
            self._provider.authenticate(request.headers.get("authorization", ""))
            if self._provider.mode is Mode.DOWN:
                raise NoAnswer
            answer = self._api(request)
            if self._provider.mode is Mode.SILENT:
                raise NoAnswer
            return as_json(*answer)
        except TossError as refusal:
            return as_json(*refusal.answer)

    def _api(self, request: Request) -> ApiAnswer:
        key = request.headers.get("idempotency-key")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["v1", "payments"]:
                return self._provider.once("create", key, lambda: self._provider.create(_json(request)))
            case "POST", ["v1", "payments", "confirm"]:
                return self._provider.once("confirm", key, lambda: self._provider.confirm(_json(request)))
            case "POST", ["v1", "payments", payment_key, "cancel"]:
                return self._provider.once("cancel", key, lambda: self._provider.cancel(payment_key, _json(request)))
            case "GET", ["v1", "payments", "orders", order_id]:
                return HTTPStatus.OK, self._provider.look_for(order_id)
            case "GET", ["v1", "payments", payment_key]:
                return HTTPStatus.OK, self._provider.look(payment_key)
        raise TossError(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is nothing here.")

    def _checkout(self, request: Request) -> Answer:
        try:
            payment = self._provider.payment(request.path.removeprefix("/checkout/"))
        except NoSuchPayment as error:
            return as_page(HTTPStatus.NOT_FOUND, refusal_page(str(error)))
        match request.method, request.form.get("choice"):
            case "POST", "decline":
                return to(self._provider.decline(payment), HTTPStatus.SEE_OTHER)
            case "POST", "pay" | "refused" as choice:
                url = self._provider.agree(payment, card_is_refused=choice == "refused")
                return to(url, HTTPStatus.SEE_OTHER)
        return as_page(HTTPStatus.OK, checkout_page(payment))

    def _console(self, request: Request) -> Answer:
        """What a merchant does by hand in Toss's console."""
        problem = ""
        if "mode" in request.form:
            with suppress(ValueError):
                self._provider.mode = Mode(request.form["mode"])
        elif request.method == "POST":
            amount = request.form.get("amount", "")
            asked = {"cancelReason": "By hand", "cancelAmount": int(amount) if amount.isdecimal() else None}
            try:
                self._provider.cancel(request.form.get("payment_key", ""), asked)
            except TossError as refusal:
                problem = str(refusal)
        page = console_page(self._provider.paid(), self._provider.mode, problem)
        return as_page(HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK, page)


def _json(request: Request) -> Json:
    """Raises Refusal."""
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise TossError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "A JSON object is required.")
    return body
