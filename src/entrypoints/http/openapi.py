"""The OpenAPI document: what the routes say of themselves, their guards included."""

import re
from collections.abc import Iterator, Sequence
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
from core.ports.idempotency import IdempotencyKeyReused
from entrypoints.http.envelope import Refused
from entrypoints.http.errors import FRAMEWORK, REPLAYED, MalformedBody, status_of
from entrypoints.http.middleware.conditional import IF_NONE_MATCH
from entrypoints.http.middleware.idempotency import HEADER
from entrypoints.http.operation import Form, Guard, operation_of, routes
from entrypoints.http.security import access
from entrypoints.http.security.cookies import SESSION
from entrypoints.http.security.limits import RateLimitExceeded
from entrypoints.http.streams import MEDIA_TYPE
from entrypoints.http.version import VERSION

DESCRIPTION = """Artists license their style, buyers pay per image.

Every answer carries `X-Trace-Id`: quote it when something goes wrong. `message` is in English or, as `Accept-Language`
asks, in Korean; `code` never changes. A trailing slash may be written everywhere.

Sign in with a browser at [/api/auth/google/login](/api/auth/google/login). Calls that change something need the value
of the cookie `csrftoken` in the header `X-CSRFToken`; `GET /api/auth/me` answers it in the same header, for frontends
that cannot read the cookie."""

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
SECURITY_SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION},
    "csrf": {"type": "apiKey", "in": "header", "name": access.CSRF_HEADER},
    "aiServer": {"type": "http", "scheme": "bearer"},
    "scheduler": {"type": "http", "scheme": "bearer"},
}
GUARDS_REFUSE: dict[Guard, tuple[type[DomainError], ...]] = {
    access.session_optional: (RateLimitExceeded,),
    access.signed_in: (Unauthorized, RateLimitExceeded),
    access.artist: (Unauthorized, RateLimitExceeded, ArtistOnly),
    access.admin: (Unauthorized, RateLimitExceeded, NotFound),
    access.training_server: (Unauthorized,),
    access.inference_server: (Unauthorized,),
    access.scheduler: (Unauthorized,),
}
IDEMPOTENCY_KEY: Schema = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Of your choice, one for each thing to be done: for 24 hours the same call with the same key gets"
    f" the first answer of success again, with `{REPLAYED}: true`, and does nothing a second time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
KNOWN: Schema = {
    "name": IF_NONE_MATCH,
    "in": "header",
    "required": False,
    "description": "`ETag` of an earlier answer, or several with commas between them.",
    "schema": {"type": "string"},
}
SOURCES: dict[Guard, str] = {access.training_server: "training-server", access.inference_server: "inference-server"}


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
        for method in handler.http_methods:
            paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Style License", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted((answers | questions).items())), "securitySchemes": SECURITY_SCHEMES},
    }
    return _without_modules(document)


def _operation(path: str, method: str, handler: HTTPRouteHandler) -> Schema:
    parameters = [_parameter(path, field) for field in _fields(handler)]
    if source := SOURCES.get(operation_of(handler).guard):
        parameters.append(
            {"name": "X-Request-Source", "in": "header", "required": True, "schema": {"const": source}},
        )
    if _idempotent(method, handler):
        parameters.append(IDEMPOTENCY_KEY)
    if operation_of(handler).conditional:
        parameters.append(KNOWN)
    operation: Schema = {
        "operationId": f"{method.lower()}{path.title().replace('/', '').replace('-', '').translate(BRACES)}",
        "summary": handler.summary,
        "tags": [tag for layer in handler.ownership_layers for tag in layer.tags or ()],
        "security": _security(method, handler),
        "parameters": parameters,
        "responses": _responses(path, method, handler, validated=any(p["in"] == "query" for p in parameters)),
    }
    if handler.description:
        operation["description"] = handler.description
    if body := _body(handler):
        operation["requestBody"] = {"required": True, "content": body}
    return operation


BRACES = str.maketrans("", "", "{}")


def _security(method: str, handler: HTTPRouteHandler) -> list[Schema]:
    guard = operation_of(handler).guard
    if guard in SOURCES:
        return [{"aiServer": []}]
    if guard is access.scheduler:
        return [{"scheduler": []}]
    if guard is access.session_optional:
        return [{}, {"session": []}]
    if guard is access.session_ignored:
        return []
    return [{"session": []} if method in access.SAFE_METHODS else {"session": [], "csrf": []}]


def _idempotent(method: str, handler: HTTPRouteHandler) -> bool:
    return method == "POST" and operation_of(handler).guard in {access.signed_in, access.artist, access.admin}


def _fields(handler: HTTPRouteHandler) -> Iterator[FieldDefinition]:
    """Parameters of the handler and of the dependencies that it has."""
    dependencies = handler.resolve_dependencies()
    for name, field in handler.parsed_fn_signature.parameters.items():
        if name in dependencies:
            signature = dependencies[name].parsed_fn_signature
            yield from (inner for key, inner in signature.parameters.items() if key not in RESERVED)
        elif name not in RESERVED:
            yield field


RESERVED = frozenset({"self", "request", "data", "body"})


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
        return content
    data = handler.parsed_data_field
    return {"application/json": {"schema": _reference(data.annotation)}} if data else None


def _form(form: Form[Any], file: Schema) -> Schema:
    schema = _inlined(form.fields)
    files = {name: {"type": "array", "items": file} if form.several else file for name in form.files}
    return {**schema, "properties": {**schema["properties"], **files}}


def _responses(path: str, method: str, handler: HTTPRouteHandler, *, validated: bool) -> Schema:
    refusals: list[type[DomainError]] = [*GUARDS_REFUSE.get(operation_of(handler).guard, ())]
    operation = operation_of(handler)
    if operation.limit:
        refusals.append(RateLimitExceeded)
    refusals += operation.refusals
    framework = []
    if "csrf" in _security(method, handler)[0] if _security(method, handler) else False:
        refusals.append(access.CsrfFailed)
    if _idempotent(method, handler):
        refusals += [IdempotencyKeyReused, ValidationError]
    if _body(handler):
        refusals += [ValidationError, MalformedBody]
        framework = [408, 413, 415]
    if validated:
        refusals.append(ValidationError)
    if "{" in path:
        refusals.append(NotFound)
    codes: dict[int, list[str]] = {}
    for status, code in [
        *((status_of(refusal, operation), refusal.code) for refusal in refusals),
        *((status, FRAMEWORK[status][0]) for status in framework),
    ]:
        codes.setdefault(status, [])
        if code not in codes[status]:
            codes[status].append(code)
    return {
        str(handler.status_code): _success(handler),
        **({"304": {"description": "Nothing has changed"}} if operation_of(handler).conditional else {}),
        **({"204": {"description": "It has ended, as is known already"}} if operation_of(handler).events else {}),
        **{
            str(status): {"description": " or ".join(f"`{code}`" for code in codes[status]), "content": FAILURE}
            for status in sorted(codes)
        },
        "default": {"description": "An unforeseen error, or a part of the service out of reach", "content": FAILURE},
    }


FAILURE = {"application/json": {"schema": {"$ref": REF.format(name="Refused")}}}


def _success(handler: HTTPRouteHandler) -> Schema:
    answers = [_reference(answer) for answer in _answers(handler)]
    schema = answers[0] if len(answers) == 1 else {"anyOf": answers}
    response: Schema
    if operation_of(handler).events:
        names = " or ".join(f"`{name}`" for name in operation_of(handler).events)
        content = {MEDIA_TYPE: {"schema": {"type": "string"}, "x-event-data": schema}}
        response = {"description": f"Events {names}, their data as JSON, while it lasts", "content": content}
    elif answers:
        response = {"description": "Success", "content": {"application/json": {"schema": schema}}}
    elif handler.parsed_return_field.annotation is NoneType:
        response = {"description": "Done"}
    elif handler.parsed_return_field.is_subclass_of(Redirect):
        response = {"description": "Go there"}
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
