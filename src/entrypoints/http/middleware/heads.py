"""The head of a request: header lines, the path, and the method OPTIONS."""

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.types import ASGIApp, HTTPScope, Message, Method, Receive, Scope, Send

from core.errors import ValidationError
from entrypoints.http.body import text_problem
from entrypoints.http.errors import AnyRequest, name_as_sent, refuse_http_exception
from entrypoints.http.fields import fields_of, keep_fields

Header = tuple[bytes, bytes]

MAX_HEAD = 32 * 1024
"""Bytes of a target and all header fields together."""
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
NOT_OFFERED: Method = "TRACE"
"""A method that no route has."""

_HOST = re.compile(r"[\w.~!$&'()*+;=%:\[\]-]*", re.ASCII)


class Fields:
    """Refuses heads that are too large, before anything else reads them, and joins a field in several lines.

    Lines are joined with commas (RFC 9110, 5.3), cookies with semicolons (RFC 9113, 8.2.3). A field that is no list
    gets an invalid value: a proxy may have used another line than this service would.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            if _size(scope) > MAX_HEAD:
                await _refuse(HTTPException(status_code=TOO_LARGE), scope, receive, send)
                return
            fields = _joined(scope["headers"])
            keep_fields(scope, fields)
            scope["headers"] = list(fields.items())
        await self._app(scope, receive, send)


def _joined(headers: Iterable[Header]) -> dict[bytes, bytes]:
    headers = list(headers)
    fields = dict(headers)
    if len(fields) == len(headers):
        return fields
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in lines.items()}


class Targets:
    """A path with a NUL is not found, an invalid Host is refused, and OPTIONS is answered for each path that has a
    route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
        elif error := _error(scope):
            await _refuse(error, scope, receive, send)
        elif scope["method"] == "OPTIONS":
            scope["method"] = NOT_OFFERED
            await self._app(scope, receive, _options(send))
        else:
            await self._app(scope, receive, send)


async def _refuse(error: HTTPException, scope: HTTPScope, receive: Receive, send: Send) -> None:
    request: AnyRequest = Request(scope, receive, send)
    refusal = refuse_http_exception(request, error)
    await refusal.to_asgi_response(None, request)(scope, receive, send)


def _error(scope: HTTPScope) -> HTTPException | None:
    """Also for a missing, invalid or repeated Host (RFC 9112, 3.2)."""
    if "\0" in scope["path"]:
        return NotFoundException()
    host = fields_of(scope).get(b"host", b"").decode("latin-1")
    required = scope["http_version"] != "1.0"
    return None if _is_host(host) and (host or not required) else ClientException()


def _size(scope: HTTPScope) -> int:
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    return len(scope["raw_path"]) + len(scope["query_string"]) + fields


@lru_cache
def _is_host(host: str) -> bool:
    """Refuses an invalid or repeated Host, with which the framework cannot build URLs."""
    try:
        return bool(_HOST.fullmatch(host)) and urlsplit(f"//{host}").port != 0
    except ValueError:
        return False


def _options(send: Send) -> Send:
    """Turns the refusal of a method into the response to OPTIONS: both list the same methods (RFC 9110, 9.3.7).

    The framework's own handlers of OPTIONS have their controllers' guards, and do not know all methods of a path.
    """
    refused = False

    async def send_methods(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start":
            refused = message["status"] == HTTPStatus.METHOD_NOT_ALLOWED
            if refused:
                message["status"] = HTTPStatus.NO_CONTENT
                message["headers"] = [header for header in message["headers"] if header[0].lower() == b"allow"]
        elif message["type"] == "http.response.body" and refused:
            message["body"] = b""
        await send(message)

    return send_methods


async def check_query(request: AnyRequest) -> None:
    """Raises ValidationError for query parameters with a NUL or that are not UTF-8 (RFC 3986, 2.5)."""
    query = request.scope["query_string"]
    if b"%" not in query:
        return
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    problems = {name: problem for name, value in given if (problem := text_problem(value))}
    if problems and (known := problems.keys() & _parameters(request)):
        raise ValidationError(**{name: problems[name] for name in known})


def _parameters(request: AnyRequest) -> set[str]:
    """The names by which clients know the parameters of a route and of the dependencies that it has."""
    handler = request.route_handler
    fields = handler.parsed_fn_signature.parameters
    dependencies = [each for name, each in handler.resolve_dependencies().items() if name in fields]
    inner = [field for each in dependencies for field in each.parsed_fn_signature.parameters.values()]
    return {name_as_sent(field) for field in (*fields.values(), *inner)}
