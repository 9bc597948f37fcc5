import base64
import binascii
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from adapters.local_openid.pages import refusal_page, sign_in_page
from adapters.local_openid.provider import InvalidClient, LocalOpenIDProvider, Parameters, ProtocolError, is_email

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

_MAX_BODY = 64 * 1024


class WithLocalOpenID:
    """An ASGI application, with the provider below `path` of the same server.

    On the same port, whoever reaches the service reaches its sign-in: through a container's port, a tunnel, a proxy.
    """

    def __init__(self, app: ASGIApp, provider: LocalOpenIDProvider, *, path: str) -> None:
        self._app = app
        self._provider = provider
        self._path = path

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{self._path}/"):
            await self._app(scope, receive, send)
            return
        status, headers, body = await self._answer(scope, receive)
        headers = {"Content-Length": str(len(body)), "Cache-Control": "no-store", **headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status.value, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> "_Answer":
        authorization = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), "")
        match scope["method"], scope["path"].removeprefix(self._path):
            case "GET", "/.well-known/openid-configuration":
                return _json(HTTPStatus.OK, self._provider.configuration())
            case "GET", "/jwks":
                return _json(HTTPStatus.OK, self._provider.keys())
            case "GET", "/authorize":
                return self._authorize(_parameters(scope["query_string"]))
            case "GET" | "POST", "/userinfo":
                return self._user_info(authorization)
            case "POST", "/token":
                return self._token(_parameters(await _body(receive)), _basic_credentials(authorization))
        return _html(HTTPStatus.NOT_FOUND, refusal_page("There is nothing here."))

    def _authorize(self, request: Parameters) -> "_Answer":
        email = request.get("login_hint", "").strip().lower()
        try:
            self._provider.check_request(request)
        except InvalidClient as error:
            return _html(HTTPStatus.BAD_REQUEST, refusal_page(str(error)))
        except ProtocolError as error:
            return _redirect(self._provider.refuse(request, error))
        if is_email(email):
            return _redirect(self._provider.authorize(request, email))
        return _html(HTTPStatus.OK, sign_in_page(request, self._provider.accounts))

    def _token(self, request: Parameters, client: tuple[str, str] | None) -> "_Answer":
        try:
            return _json(HTTPStatus.OK, self._provider.redeem(request, client))
        except ProtocolError as error:
            status = HTTPStatus.UNAUTHORIZED if error.error == "invalid_client" else HTTPStatus.BAD_REQUEST
            return _json(status, {"error": error.error, "error_description": error.description})

    def _user_info(self, authorization: str) -> "_Answer":
        scheme, _, token = authorization.partition(" ")
        claims = self._provider.user_info(token) if scheme.lower() == "bearer" else None
        if claims is None:
            return _json(HTTPStatus.UNAUTHORIZED, {"error": "invalid_token"})
        return _json(HTTPStatus.OK, claims)


_Answer = tuple[HTTPStatus, dict[str, str], bytes]


def _json(status: HTTPStatus, body: dict[str, object]) -> _Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _html(status: HTTPStatus, body: str) -> _Answer:
    return status, {"Content-Type": "text/html; charset=utf-8"}, body.encode()


def _redirect(url: str) -> _Answer:
    return HTTPStatus.FOUND, {"Location": url}, b""


async def _body(receive: Receive) -> bytes:
    """The request's body; what is beyond the limit is left out."""
    body, more = b"", True
    while more and len(body) < _MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _parameters(encoded: bytes) -> Parameters:
    return dict(parse_qsl(encoded.decode(errors="replace"), keep_blank_values=True))


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(name), unquote(secret)
