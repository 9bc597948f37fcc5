"""The OpenAPI document, made from the routes' operations, their signatures and msgspec's own schemas.

Litestar 2.25 generates a document too. Tried on these routes, these things were missing or wrong, and putting them
right means replacing most of what it has generated:
- unknown fields are refused (`additionalProperties: false`);
- defaults of fields and parameters whose type is an enum, a struct or a union; where one field has a default, it lands
  on the schema that all fields of its type share;
- an answer has all its fields, where the same type in a request may lack some;
- forms that a handler reads itself, as multipart or JSON, and what the events of a stream hold;
- an answer 400 of Litestar's own, which this service never gives, is added to each route with parameters.
Its Swagger UI plugin writes an inline script, which our Content-Security-Policy forbids, and sends a CSRF token for
Litestar's own middleware only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.response import Redirect
from litestar.typing import FieldDefinition

from core.accounts.errors import ArtistOnly, Unauthorized
from core.errors import DomainError, NotFound, ValidationError
from core.ports.blob_store import StoreUnavailable
from core.ports.database import DatabaseUnavailable
from core.ports.idempotency import IdempotencyKeyReused
from core.ports.images import ImagesUnavailable
from core.ports.payment_provider import PaymentsUnavailable
from core.ports.transaction import OutcomeUnknown
from entrypoints.http.envelope import Refused
from entrypoints.http.errors import FRAMEWORK, INTERNAL, REPLAYED, MalformedBody, status_of
from entrypoints.http.middleware.conditional import IF_NONE_MATCH
from entrypoints.http.middleware.idempotency import HEADER
from entrypoints.http.operation import Form, Guard, Operation, operation_of, routes
from entrypoints.http.security import access
from entrypoints.http.security.limits import RateLimitExceeded
from entrypoints.http.state import state_of
from entrypoints.http.streams import MEDIA_TYPE
from entrypoints.http.uploads_in_progress import TooManyUploads
from entrypoints.http.version import VERSION

DESCRIPTION = """Artists license their style; buyers pay tokens for each generation.

Every answer has an `X-Trace-Id`: give it when you report a problem. `message` is in English or, by `Accept-Language`,
in Korean; `code` never changes. Each path may end in a slash.

Sign in with a browser at [/api/auth/google/login](/api/auth/google/login). Calls that change something need the value
of the cookie `csrftoken` (in production `__Host-csrftoken`) in the header `X-CSRFToken`; `GET /api/auth/me` answers it
in the same header, for frontends that cannot read the cookie."""

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
SECURITY_SCHEMES = {
    "csrf": {"type": "apiKey", "in": "header", "name": access.CSRF_HEADER},
    "aiServer": {"type": "http", "scheme": "bearer"},
    "scheduler": {"type": "http", "scheme": "bearer"},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """What a guard asks of those who call, and refuses."""

    security: list[Schema]
    refusals: tuple[type[DomainError], ...] = ()
    source: str | None = None
    """What calls must have in `X-Request-Source`."""
    signed_in: bool = False
    """Calls that change anything need a CSRF token, and POST takes an idempotency key."""


_SIGNED_IN = (Unauthorized, RateLimitExceeded)

CALLERS: dict[Guard, Caller] = {
    access.session_ignored: Caller([]),
    access.session_optional: Caller([{}, {"session": []}], (RateLimitExceeded,)),
    access.signed_in: Caller([{"session": []}], _SIGNED_IN, signed_in=True),
    access.artist: Caller([{"session": []}], (*_SIGNED_IN, ArtistOnly), signed_in=True),
    access.admin: Caller([{"session": []}], (*_SIGNED_IN, NotFound), signed_in=True),
    access.training_server: Caller([{"aiServer": []}], (Unauthorized,), source="training-server"),
    access.inference_server: Caller([{"aiServer": []}], (Unauthorized,), source="inference-server"),
    access.scheduler: Caller([{"scheduler": []}], (Unauthorized,)),
}
IDEMPOTENCY_KEY: Schema = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Chosen by the client, a new one for each operation. For 24 hours a repeated call with the same key"
    f" is answered with the first successful answer, with `{REPLAYED}: true`, and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
KNOWN: Schema = {
    "name": IF_NONE_MATCH,
    "in": "header",
    "required": False,
    "description": "One `ETag` of an earlier answer, or several, comma-separated.",
    "schema": {"type": "string"},
}
ANYWHERE = (
    (431, FRAMEWORK[431]),
    (500, INTERNAL),
    (503, DatabaseUnavailable.code),
    (503, OutcomeUnknown.code),
    (503, StoreUnavailable.code),
    (503, ImagesUnavailable.code),
    (503, PaymentsUnavailable.code),
)
"""Statuses and codes that each operation may answer when a dependency fails."""
FAILURE = {"application/json": {"schema": {"$ref": REF.format(name="Refused")}}}
RESERVED = frozenset({"self", "request", "data", "body"})
BRACES = str.maketrans("", "", "{}")


def document(app: Litestar) -> Schema:
    """All routes that do not stay out of it (`include_in_schema`)."""
    operations = [(path, handler) for path, handler in routes(app) if handler.resolve_include_in_schema()]
    _, answers = _schemas([*(answer for _, handler in operations for answer in _answers(handler)), Refused])
    for schema in answers.values():
        if "properties" in schema:  # nothing is ever left out of an answer
            schema["required"] = list(schema["properties"])
    _, questions = _schemas([body.annotation for _, handler in operations if (body := handler.parsed_data_field)])
    paths: Schema = {}
    for path, handler in operations:
        (method,) = handler.http_methods
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler)
    session = {"type": "apiKey", "in": "cookie", "name": state_of(app).cookies.session_name}
    schemes = {"session": session, **SECURITY_SCHEMES}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Style License", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": {path: dict(sorted(methods.items())) for path, methods in sorted(paths.items())},
        "components": {"schemas": dict(sorted((answers | questions).items())), "securitySchemes": schemes},
    }
    return _without_modules(document)


def _operation(path: str, method: str, handler: HTTPRouteHandler) -> Schema:
    operation = operation_of(handler)
    caller = CALLERS[operation.guard]
    parameters = [_parameter(path, field) for field in _fields(handler)]
    if caller.source:
        source = {"name": "X-Request-Source", "in": "header", "required": True, "schema": {"const": caller.source}}
        parameters.append(source)
    refusals = [*caller.refusals, *((RateLimitExceeded,) if operation.limit else ()), *operation.refusals]
    security = caller.security
    if caller.signed_in and method not in access.SAFE_METHODS:
        security = [{"session": [], "csrf": []}]
        refusals.append(access.CsrfFailed)
    if caller.signed_in and method == "POST":
        parameters.append(IDEMPOTENCY_KEY)
        refusals += [IdempotencyKeyReused, ValidationError]
    if operation.conditional:
        parameters.append(KNOWN)
    body = _body(handler)
    if body:
        refusals += [ValidationError, MalformedBody]
    if operation.form:
        refusals.append(TooManyUploads)
    if any(parameter["in"] == "query" for parameter in parameters):
        refusals.append(ValidationError)
    if "{" in path:
        refusals.append(NotFound)
    codes = [(status_of(refusal, operation), refusal.code) for refusal in refusals]
    codes += [(status, FRAMEWORK[status]) for status in (408, 413, 415) if body]
    return {
        "operationId": f"{method.lower()}{path.title().replace('/', '').replace('-', '').translate(BRACES)}",
        "summary": handler.summary,
        **({"description": handler.description} if handler.description else {}),
        "tags": [tag for layer in handler.ownership_layers for tag in layer.tags or ()],
        "security": security,
        "parameters": parameters,
        **({"requestBody": {"required": not _body_has_default(handler), "content": body}} if body else {}),
        "responses": _responses(handler, operation, codes),
    }


def _fields(handler: HTTPRouteHandler) -> Iterator[FieldDefinition]:
    """Parameters of the handler and of the dependencies that it has."""
    dependencies = handler.resolve_dependencies()
    for name, field in handler.parsed_fn_signature.parameters.items():
        if name in dependencies:
            signature = dependencies[name].parsed_fn_signature
            yield from (inner for key, inner in signature.parameters.items() if key not in RESERVED)
        elif name not in RESERVED:
            yield field


def _parameter(path: str, field: FieldDefinition) -> Schema:
    kwarg = field.kwarg_definition if isinstance(field.kwarg_definition, ParameterKwarg) else ParameterKwarg()
    schema = _inlined(field.annotation)
    target = schema.get("anyOf", [schema])[0]
    bounds = {"minimum": kwarg.ge, "maximum": kwarg.le, "maxLength": kwarg.max_length}
    target.update({name: bound for name, bound in bounds.items() if bound is not None})
    if field.has_default:
        schema["default"] = msgspec.to_builtins(field.default)
    where = "path" if f"{{{field.name}}}" in path else kwarg.param_type.value if kwarg.param_type else "query"
    described = {"description": kwarg.description} if kwarg.description else {}
    return {
        "name": kwarg.name or field.name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        **described,
    }


def _body(handler: HTTPRouteHandler) -> Schema | None:
    if form := operation_of(handler).form:
        content = {"multipart/form-data": {"schema": _form(form, {"type": "string", "format": "binary"})}}
        if form.json:
            content["application/json"] = {"schema": _form(form, {"type": "string", "format": "uri"})}
        if form.json_fields:
            content["application/json"] = {"schema": _inlined(form.json_fields)}
        return content
    data = handler.parsed_data_field
    return {"application/json": {"schema": _reference(data.annotation)}} if data else None


def _body_has_default(handler: HTTPRouteHandler) -> bool:
    data = handler.parsed_data_field
    return data is not None and data.has_default


def _form(form: Form[Any], file: Schema) -> Schema:
    schema = _inlined(form.fields)
    files = {name: {"type": "array", "items": file} if form.several else file for name in form.files}
    return {**schema, "properties": {**schema["properties"], **files}}


def _responses(handler: HTTPRouteHandler, operation: Operation, codes: list[tuple[int, str]]) -> Schema:
    by_status: dict[int, dict[str, None]] = {}
    for status, code in (*codes, *ANYWHERE):
        by_status.setdefault(status, {})[code] = None
    return {
        str(handler.status_code): _success(handler, operation),
        **({"304": {"description": "Not modified"}} if operation.conditional else {}),
        **({"204": {"description": "Ended: there are no further events"}} if operation.events else {}),
        **{
            str(status): {"description": " or ".join(f"`{code}`" for code in by_status[status]), "content": FAILURE}
            for status in sorted(by_status)
        },
    }


def _success(handler: HTTPRouteHandler, operation: Operation) -> Schema:
    answers = [_reference(answer) for answer in _answers(handler)]
    schema = answers[0] if len(answers) == 1 else {"anyOf": answers}
    response: Schema
    if operation.events:
        names = " or ".join(f"`{name}`" for name in operation.events)
        content = {MEDIA_TYPE: {"schema": {"type": "string"}, "x-event-data": schema}}
        response = {"description": f"Events {names}, with JSON data, until the stream ends", "content": content}
    elif answers:
        response = {"description": "Success", "content": {"application/json": {"schema": schema}}}
    elif handler.parsed_return_field.annotation in {NoneType, Response[None]}:
        response = {"description": "Success, without content"}
    elif handler.parsed_return_field.is_subclass_of(Redirect):
        response = {"description": "Redirect"}
    else:
        response = {"description": "Success", "content": {str(handler.media_type): {}}}
    if handler.status_code in {201, 302}:
        response["headers"] = {"Location": {"schema": {"type": "string"}}}
    return response


def _answers(handler: HTTPRouteHandler) -> tuple[Any, ...]:
    """The types of what is encoded as JSON, the answer itself or its events; none for other answers."""
    annotation = handler.parsed_return_field.annotation
    if get_origin(annotation) is Response:
        (annotation,) = get_args(annotation)
    answers = operation_of(handler).answers or (annotation,)
    return tuple(answer for answer in answers if answer not in {bytes, Redirect, NoneType})


def _schemas(types: Sequence[Any]) -> tuple[tuple[Schema, ...], Schema]:
    """The schema of each type, and the components that they refer to."""
    return msgspec.json.schema_components(types, ref_template=REF, schema_hook=_schema_of_anything)


def _schema_of_anything(_: Any) -> Schema:
    """Of `object`, which is what the plain data in `details` and `metadata` is to us."""
    return {"description": "Any JSON."}


@cache
def _reference(type_: Any) -> Schema:
    (schema,), _ = _schemas([type_])
    return schema


def _without_modules(document: Schema) -> Schema:
    """With generic types named `Results_Me_`: the modules in msgspec's names for them mean nothing to a reader."""
    short: Schema = msgspec.json.decode(
        re.sub(rb"(?:core|entrypoints)\.[a-z_.]+\.(?=[A-Z])", b"", msgspec.json.encode(document))
    )
    return short


def _inlined(type_: Any) -> Schema:
    """A schema that stands by itself: what it refers to is put in its place."""
    (schema,), components = _schemas([type_])

    def inline(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return inline(components[node["$ref"].removeprefix(REF.format(name=""))])
            return {key: inline(value) for key, value in node.items()}
        return [inline(item) for item in node] if isinstance(node, list) else node

    inlined: Schema = inline(schema)
    return inlined
