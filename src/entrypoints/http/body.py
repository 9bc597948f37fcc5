"""JSON bodies: decoded strictly, with all problems reported by field."""

import json
import re
from itertools import islice
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.exceptions import HTTPException
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from core.errors import DomainError, ValidationError
from core.problems import Problem
from entrypoints.http.errors import AnyRequest, JsonObjectRequired, MalformedBody
from entrypoints.http.problems import (
    NESTED_TOO_DEEPLY,
    NOT_UTF8,
    NUL_CHARACTER,
    REQUIRED,
    UNKNOWN_FIELD,
    problem_of_msgspec,
)

Decoded = TypeVar("Decoded")

MAX_DEPTH = 100
"""Maximum nesting of arrays and objects: code that reads them recursively stays within its limits."""

MAX_WHOLE = 4 * 1024 * 1024
"""Maximum bytes of a body that is read into memory although its route takes larger ones."""
_WHOLE = "whole body"
"""Where a request's state keeps such a body."""

MAX_BRACKETS = 10_000
"""Maximum number of opening brackets, in texts or not: a megabyte of empty arrays takes a second to read."""
MAX_UNKNOWN = 100
"""Unknown fields that a refusal names."""

_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]+)\]")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_Place = tuple[Any, object] | None
"""Where a value is: the place of its container, and its name or index in it."""


class UnsupportedMediaType(HTTPException):
    status_code = 415


class PayloadTooLarge(HTTPException):
    status_code = 413


async def whole_body(request: AnyRequest) -> bytes:
    """The body of a route that takes large forms, where it is no form. Raises PayloadTooLarge."""
    state = request.scope["state"]
    if _WHOLE not in state:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_WHOLE:
                raise PayloadTooLarge
        state[_WHOLE] = bytes(body)
    read: bytes = state[_WHOLE]
    return read


class StrictJson(AbstractDTO[Any]):
    """Decodes a handler's `data`: "5" is no integer, and a body of another content type is refused unread."""

    def decode_bytes(self, value: bytes) -> Any:
        request = cast("Request[Any, Any, Any]", self.asgi_connection)
        check_json(request.content_type[0])
        field = request.route_handler.parsed_data_field
        return decode(value, field.annotation if field else Any)

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Nothing to prepare: msgspec decodes into the handler's type."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 - the framework's signature
        schema_creator: Any,
    ) -> Reference | Schema:
        return cast("Reference | Schema", schema_creator.for_field_definition(field_definition))


def check_json(content_type: str) -> None:
    """Raises UnsupportedMediaType."""
    if content_type != "application/json":
        raise UnsupportedMediaType


def decode(body: bytes, type_: type[Decoded]) -> Decoded:
    """Raises MalformedBody for a body that is no JSON, ValidationError for JSON of another shape.

    Raises PayloadTooLarge for more than MAX_BRACKETS.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MAX_BRACKETS:
        raise PayloadTooLarge
    try:
        decoded = msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError:
        raise ValidationError(**_problems(_plain(body), type_)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refusal(body) from None
    if b"\\u0000" in body or brackets > MAX_DEPTH:
        _plain(body)
    return decoded


def convert(plain: dict[str, object], type_: type[Decoded], *, strict: bool) -> Decoded:
    """Plain data as the type. Without `strict`, text may stand for numbers and booleans. Raises ValidationError."""
    try:
        return msgspec.convert(plain, type_, strict=strict)
    except msgspec.ValidationError:
        raise ValidationError(**_problems(plain, type_, strict=strict)) from None


def refuse_unstorable(plain: object) -> None:
    """Raises ValidationError for what the database cannot store: text with a NUL or a lone surrogate, names included,
    and nesting deeper than MAX_DEPTH.
    """
    left: list[tuple[object, _Place, int]] = [(plain, None, 0)]
    while left:
        value, place, depth = left.pop()
        if isinstance(value, str):
            if problem := text_problem(value):
                raise ValidationError(**{_written(place): problem})
        elif isinstance(value, dict | list):
            if depth >= MAX_DEPTH:
                raise ValidationError(**{_written(place): NESTED_TOO_DEEPLY})
            if isinstance(value, dict):
                if problem := next(filter(None, map(text_problem, value)), None):
                    raise ValidationError(**{_written(place): problem})
                items = list(value.items())
            else:
                items = list(enumerate(value))
            left.extend((item, (place, step), depth + 1) for step, item in reversed(items))


def text_problem(text: str) -> Problem | None:
    """Why no database keeps a text; None for one that can be kept."""
    found = _NO_TEXT.search(text)
    if not found:
        return None
    return NUL_CHARACTER if found[0] == "\0" else NOT_UTF8


def _plain(body: bytes) -> object:
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refusal(body) from None
    refuse_unstorable(plain)
    return plain


def _refusal(body: bytes) -> DomainError:
    """The error for a body that msgspec cannot read; it rejects lone surrogates (RFC 8259, 8.2) like malformed JSON."""
    if not body.lstrip().startswith(b"{"):
        return MalformedBody()
    try:
        refuse_unstorable(json.loads(body))
    except ValidationError as refusal:
        return refusal
    except RecursionError:
        return ValidationError(body=NESTED_TOO_DEEPLY)
    except ValueError:
        pass
    return MalformedBody()


def _problems(plain: object, type_: type[Any], *, strict: bool = True) -> dict[str, Problem]:
    """All fields that are wrong: msgspec stops at the first one."""
    if not isinstance(plain, dict) or not issubclass(type_, msgspec.Struct):
        raise JsonObjectRequired
    problems = {}
    fields = msgspec.structs.fields(type_)
    for field in fields:
        if field.encode_name not in plain:
            if field.required:
                problems[field.encode_name] = REQUIRED
            continue
        try:
            msgspec.convert(plain[field.encode_name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            path, problem = _problem(str(error))
            problems[field.encode_name + path] = problem
    if type_.__struct_config__.forbid_unknown_fields:
        known = {field.encode_name for field in fields}
        unknown = (name for name in plain if name not in known)
        problems.update(dict.fromkeys(islice(unknown, MAX_UNKNOWN), UNKNOWN_FIELD))
    return problems


def _problem(message: str) -> tuple[str, Problem]:
    """`Expected ... - at `$.a[0]`` as `.a.0` and what `Expected ...` says."""
    found = _WHERE.search(message)
    if not found:
        return "", problem_of_msgspec(message)
    steps = [step["name"] or step["index"] for step in _STEP.finditer(found["path"])]
    return "".join(f".{step}" for step in steps), problem_of_msgspec(message[: found.start()])


def _written(place: _Place) -> str:
    """As `a.0.b`; the whole is `body`."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(str(step))
    return ".".join(reversed(steps)) or "body"
