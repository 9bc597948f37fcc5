"""Calls with an `Idempotency-Key`: a repeated call gets the first response and does nothing.

Only successful responses are stored. A refusal has changed nothing, so the key can be used again.
"""

import re
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from core.errors import DomainError, ValidationError
from core.ports.clock import Clock
from core.ports.idempotency import AlreadyAnswered, Answer, Call, IdempotentCall
from entrypoints.http.body import whole_body
from entrypoints.http.errors import REPLAYED, AnyRequest, refuse_domain_error, replay
from entrypoints.http.fields import fields_of
from entrypoints.http.operation import Connection, operation_of
from entrypoints.http.problems import INVALID_IDEMPOTENCY_KEY
from entrypoints.http.state import container_of

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
KEPT_HEADERS = frozenset({"content-type", "location"})
"""Headers that are stored; the others concern the exchange only."""


class Idempotent:
    """Sends the response after it was committed together with the changes of the call.

    Runs within the request's container, whose unit of work the call belongs to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not _has_key(scope):
            await self._app(scope, receive, send)
            return
        kept = _Kept()
        async with await _call_of(scope) as call:
            await self._app(scope, receive, kept.send)
            if call.is_open and not kept.replayed:
                instead = await _settle(call, kept, Request(scope, receive, send))
                if instead:
                    kept = _Kept()
                    await instead.to_asgi_response(None, Request(scope, receive, send))(scope, receive, kept.send)
        for message in kept.messages:
            await send(message)


async def check_key(request: Connection, handler: BaseRouteHandler) -> None:
    """Replay the answer to a call that is repeated, once its user is known.

    The body of a form is checked where it is read: it may be large. Raises ValidationError, AlreadyAnswered,
    IdempotencyKeyReused, or what reading the body raises.
    """
    if not isinstance(request, Request) or not has_key(request):
        return
    key = request.headers[HEADER].strip()
    if not KEY.fullmatch(key):
        raise ValidationError(**{HEADER: INVALID_IDEMPOTENCY_KEY})
    takes_form = operation_of(handler).form is not None
    if takes_form and request.content_type[0] == "multipart/form-data":
        return
    body = await (whole_body(request) if takes_form else request.body())
    await check_body(request, sha256(body).digest())


async def check_body(request: AnyRequest, digest: bytes) -> None:
    """Raises AlreadyAnswered or IdempotencyKeyReused."""
    clock = await container_of(request.scope).get(Clock)
    path = request.scope["path"].rstrip("/")
    call = Call(
        user_id=request.scope["user"].id,
        key=request.headers[HEADER].strip(),
        fingerprint=sha256(f"{request.method} {path}\n".encode() + digest).digest(),
        at=clock.now(),
    )
    await (await _call_of(request.scope)).begin(call)


def has_key(request: AnyRequest) -> bool:
    """Whether the call has an idempotency key."""
    return _has_key(request.scope)


async def _call_of(scope: HTTPScope) -> IdempotentCall:
    call: IdempotentCall = await container_of(scope).get(IdempotentCall)
    return call


async def _settle(call: IdempotentCall, kept: "_Kept", request: AnyRequest) -> Response[Any] | None:
    """The response to send instead, if the call's own cannot be committed."""
    try:
        if kept.status < HTTPStatus.BAD_REQUEST:
            await call.finish(kept.answer())
        elif kept.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            await call.refuse()
    except AlreadyAnswered as error:
        return replay(request, error)
    except DomainError as error:
        return refuse_domain_error(request, error)
    return None


class _Kept:
    """A response that has not been sent yet."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return next(message["status"] for message in self.messages if message["type"] == "http.response.start")

    @property
    def replayed(self) -> bool:
        return REPLAYED.lower() in self.headers

    @property
    def headers(self) -> dict[str, str]:
        return {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for message in self.messages
            if message["type"] == "http.response.start"
            for name, value in message["headers"]
        }

    def answer(self) -> Answer:
        headers = self.headers
        body = b"".join(message["body"] for message in self.messages if message["type"] == "http.response.body")
        return Answer(self.status, {name: headers[name] for name in KEPT_HEADERS & headers.keys()}, body)


def _has_key(scope: HTTPScope) -> bool:
    return scope["method"] == "POST" and b"idempotency-key" in fields_of(scope)
