import json
from http import HTTPStatus

from adapters.development.payment_sandbox.pages import checkout_page, refusal_page
from adapters.development.payment_sandbox.provider import ApiAnswer, Json, NoSuchPayment, SandboxPayments, TossError
from adapters.development.stand_in import Answer, ASGIApp, Request, WithStandIn, as_json, as_page, to


class WithSandboxPayments(WithStandIn):
    """ASGI middleware that serves Toss's API and checkout page below `path`."""

    def __init__(self, app: ASGIApp, provider: SandboxPayments, *, path: str) -> None:
        super().__init__(app, self._answered, path=path)
        self._provider = provider

    def _answered(self, request: Request) -> Answer:
        if request.path.startswith("/checkout/"):
            return self._checkout(request)
        try:
            self._provider.authenticate(request.headers.get("authorization", ""))
            return as_json(*self._api(request))
        except TossError as refusal:
            return as_json(*refusal.answer)

    def _api(self, request: Request) -> ApiAnswer:
        key = request.headers.get("idempotency-key")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["v1", "payments"]:
                return self._provider.once("create", key, lambda: self._provider.create(_json(request)))
            case "POST", ["v1", "payments", "confirm"]:
                return self._provider.once("confirm", key, lambda: self._provider.confirm(_json(request)))
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


def _json(request: Request) -> Json:
    """Raises Refusal."""
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise TossError(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "A JSON object is needed.")
    return body
