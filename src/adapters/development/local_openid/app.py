import base64
import binascii
from http import HTTPStatus
from urllib.parse import unquote

from adapters.development.local_openid.pages import refusal_page, sign_in_page
from adapters.development.local_openid.provider import (
    InvalidClient,
    LocalOpenIDProvider,
    Parameters,
    ProtocolError,
    is_email,
)
from adapters.development.stand_in import Answer, ASGIApp, Request, WithStandIn, as_json, as_page, to


class WithLocalOpenID(WithStandIn):
    """ASGI middleware that serves the provider below `path`."""

    def __init__(self, app: ASGIApp, provider: LocalOpenIDProvider, *, path: str) -> None:
        super().__init__(app, self._handle, path=path)
        self._provider = provider

    def _handle(self, request: Request) -> Answer:
        authorization = request.headers.get("authorization", "")
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return as_json(HTTPStatus.OK, self._provider.configuration())
            case "GET", "/jwks":
                return as_json(HTTPStatus.OK, self._provider.keys())
            case "GET", "/authorize":
                return self._authorize(request.query)
            case "GET" | "POST", "/userinfo":
                return self._user_info(authorization)
            case "POST", "/token":
                return self._token(request.form, _basic_credentials(authorization))
        return as_page(HTTPStatus.NOT_FOUND, refusal_page("There is nothing here."))

    def _authorize(self, request: Parameters) -> Answer:
        email = request.get("login_hint", "").strip().lower()
        try:
            self._provider.check_request(request)
        except InvalidClient as error:
            return as_page(HTTPStatus.BAD_REQUEST, refusal_page(str(error)))
        except ProtocolError as error:
            return to(self._provider.refuse(request, error))
        if is_email(email):
            return to(self._provider.authorize(request, email))
        return as_page(HTTPStatus.OK, sign_in_page(request, self._provider.accounts))

    def _token(self, request: Parameters, client: tuple[str, str] | None) -> Answer:
        try:
            return as_json(HTTPStatus.OK, self._provider.redeem(request, client))
        except ProtocolError as error:
            status = HTTPStatus.UNAUTHORIZED if error.error == "invalid_client" else HTTPStatus.BAD_REQUEST
            return as_json(status, {"error": error.error, "error_description": error.description})

    def _user_info(self, authorization: str) -> Answer:
        scheme, _, token = authorization.partition(" ")
        claims = self._provider.user_info(token) if scheme.lower() == "bearer" else None
        if claims is None:
            return as_json(HTTPStatus.UNAUTHORIZED, {"error": "invalid_token"})
        return as_json(HTTPStatus.OK, claims)


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(name), unquote(secret)
