"""What a route declares: who may call it, what it takes, answers and refuses. The handler and the API document are
made from this one declaration; guards, limits, idempotency and error answers read it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from inspect import Parameter, signature
from typing import Any, Generic, Self, TypeVar

import msgspec
from dishka.integrations.base import wrap_injection
from litestar import Litestar, Response
from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import AnyCallable, ASGIApp, Empty, ExceptionHandlersMap, Method, Receive, Scope, Send
from litestar.types.internal_types import PathParameterDefinition

from core.errors import DomainError
from entrypoints.http.state import container_of

Fields = TypeVar("Fields", bound=msgspec.Struct)

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]

_KEY = "operation"
"""Where a handler keeps its operation among the options that the framework copies with it."""


_REQUEST = "request"
"""The name by which the framework passes a request to a handler."""


class RouteLimit(Enum):
    """Rate limits that single routes have, instead of the general one."""

    SIGN_IN = "sign-in"
    GENERATE = "generate"
    EXPORT = "export"
    UPLOAD = "upload"
    PAYMENT = "payment"
    ANONYMOUS = "anonymous"
    """The general one of calls without a session, for routes that do not look the session up."""


class Form(msgspec.Struct, Generic[Fields], frozen=True):
    """A body with files: multipart/form-data or, if `json`, JSON too."""

    fields: type[Fields]
    files: tuple[str, ...]
    """Fields that are files."""
    lists: tuple[str, ...] = ()
    """Fields that may be given several times."""
    several: bool = False
    """Whether a file field may be given several times."""
    json: bool = False
    """Whether JSON is taken too, each file as a data URL."""
    json_fields: type[msgspec.Struct] | None = None
    """The fields of a JSON body without files, if that is taken too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    guard: Guard
    """Decides who may call the route, before anything of a body is read."""
    limit: RouteLimit | None = None
    refusals: tuple[type[DomainError], ...] = ()
    """Errors of the route's own; those of its guard, its body and its parameters are known from these."""
    form: Form[Any] | None = None
    answers: tuple[Any, ...] = ()
    """Types of the JSON answer, where the handler's return type does not say it; of a stream, its events' data."""
    events: tuple[str, ...] = ()
    """Names of the events of a stream."""
    conditional: bool = False
    """Whether answers have an `ETag`, so that If-None-Match is answered with 304."""
    malformed: int | None = None
    """The status of answers to requests that cannot be understood, if it is not the usual one."""


class Route(HTTPRouteHandler):
    """A handler whose guard is given the handler itself: the framework would copy it for each request. And its
    dependencies, which never wait, are resolved one after another: the framework would start a task for each.
    """

    def __call__(self, fn: AnyCallable) -> Self:
        """The parameters that are marked with FromDishka come from the request's container."""
        request = Parameter(_REQUEST, Parameter.KEYWORD_ONLY, annotation=Request[Any, Any, Any])
        super().__call__(
            wrap_injection(
                func=fn,
                is_async=True,
                additional_params=[] if _REQUEST in signature(fn).parameters else [request],
                container_getter=lambda _, named: container_of(named[_REQUEST].scope),
            )
        )
        return self

    def resolve_exception_handlers(self) -> ExceptionHandlersMap:
        """Once: the framework's does it for each request."""
        return self._exception_handlers

    @cached_property
    def _exception_handlers(self) -> ExceptionHandlersMap:
        return super().resolve_exception_handlers()

    def create_kwargs_model(self, path_parameters: dict[str, PathParameterDefinition]) -> Any:
        model = super().create_kwargs_model(path_parameters)
        model.dependency_batches = [{each} for batch in model.dependency_batches for each in batch]
        return model

    async def authorize_connection(self, connection: Connection) -> None:
        await operation_of(self).guard(connection, self)

    async def to_response(self, app: Litestar, data: Any, request: Request[Any, Any, Any]) -> ASGIApp:
        """JSON takes the short way: the framework's prepares headers, cookies and encoders anew for each response."""
        status, headers, content = self.status_code, [], data
        if type(data) is Response:
            status, content = data.status_code or status, data.content
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in data.headers.items()
            ]
            headers += [cookie.to_encoded_header() for cookie in data.cookies]
        if isinstance(content, msgspec.Struct):
            return Json(status, msgspec.json.encode(content), headers)
        return await super().to_response(app, data, request)


@dataclass(frozen=True, slots=True)
class Json:
    """A response of JSON, as an ASGI application."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]]

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        about = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": [*about, *self.headers]})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def _route(
    method: Method,
    path: str | Sequence[str],
    *,
    guard: Guard,
    summary: str | None = None,
    description: str | None = None,
    status: int | None = None,
    media_type: str | None = None,
    max_body: int | None = None,
    limit: RouteLimit | None = None,
    refusals: tuple[type[DomainError], ...] = (),
    form: Form[Any] | None = None,
    answers: tuple[Any, ...] = (),
    events: tuple[str, ...] = (),
    conditional: bool = False,
    malformed: int | None = None,
    documented: bool = True,
) -> Route:
    """Decorates a handler. `max_body` is in bytes; what is not `documented` stays out of the API document."""
    operation = Operation(
        guard=guard,
        limit=limit,
        refusals=refusals,
        form=form,
        answers=answers,
        events=events,
        conditional=conditional,
        malformed=malformed,
    )
    return Route(
        path,
        http_method=method,
        guards=[guard],
        summary=summary,
        description=description,
        status_code=status,
        media_type=media_type,
        request_max_body_size=Empty if max_body is None else max_body,
        include_in_schema=documented,
        opt={_KEY: operation},
    )


get = partial(_route, "GET")
post = partial(_route, "POST")
patch = partial(_route, "PATCH")
put = partial(_route, "PUT")
delete = partial(_route, "DELETE")


def operation_of(handler: BaseRouteHandler) -> Operation:
    """What a route declares. Raises LookupError for a route that was not made by the decorators of this module."""
    operation: Operation = handler.opt[_KEY]
    return operation


def routes(app: Litestar) -> list[tuple[str, HTTPRouteHandler]]:
    """The paths and handlers of an app. Raises LookupError for a route without an operation, hence without a guard."""
    declared = []
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            if not isinstance(handler, HTTPRouteHandler) or _KEY not in handler.opt:
                if isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}:
                    continue  # the framework's own, which no request reaches
                raise LookupError(f"{route.path} declares no operation")
            if handler.resolve_guards() != [operation_of(handler).guard]:
                raise LookupError(f"{route.path} has other guards than its operation says")
            declared.append((route.path_format, handler))
    return declared
