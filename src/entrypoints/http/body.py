"""JSON bodies: decoded strictly, and everything that is wrong with them told by field."""

import re
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.exceptions import HTTPException
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from core.errors import ValidationError
from entrypoints.http.errors import MalformedBody

Decoded = TypeVar("Decoded")

_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]+)\]")


class UnsupportedMediaType(HTTPException):
    status_code = 415


class StrictJson(AbstractDTO[Any]):
    """Decodes a handler's `data`: "5" is no integer, and a body that is not declared as JSON is not looked at."""

    def decode_bytes(self, value: bytes) -> Any:
        request = cast("Request[Any, Any, Any]", self.asgi_connection)
        check_json(request.content_type[0])
        field = request.route_handler.parsed_data_field
        return decode(value, field.annotation if field else Any)

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """There is nothing to prepare: msgspec decodes into the handler's own type."""

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
    """Raises MalformedBody for what is no JSON, ValidationError for JSON that says something else."""
    try:
        decoded = msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError:
        raise ValidationError(**_problems(_plain(body), type_)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody from None
    if b"\\u0000" in body:
        refuse_nul(_plain(body))
    return decoded


def convert(plain: dict[str, object], type_: type[Decoded], *, strict: bool) -> Decoded:
    """Plain data as the type. Without `strict`, text may stand for numbers and booleans. Raises ValidationError."""
    try:
        return msgspec.convert(plain, type_, strict=strict)
    except msgspec.ValidationError:
        raise ValidationError(**_problems(plain, type_, strict=strict)) from None


def refuse_nul(plain: object) -> None:
    """Raises ValidationError for text with a NUL in it: databases keep none. So nothing behind HTTP need care."""
    if where := _nul_in(plain, ""):
        raise ValidationError(**{where.lstrip("."): "Text cannot hold the character NUL."})


def _plain(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody from None


def _problems(plain: object, type_: type[Any], *, strict: bool = True) -> dict[str, str]:
    """All fields that are wrong: msgspec stops at the first one."""
    if not isinstance(plain, dict) or not issubclass(type_, msgspec.Struct):
        raise MalformedBody("A JSON object is needed.")
    problems = {}
    fields = msgspec.structs.fields(type_)
    for field in fields:
        if field.encode_name not in plain:
            if field.required:
                problems[field.encode_name] = "This field is required."
            continue
        try:
            msgspec.convert(plain[field.encode_name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            path, message = _where(str(error))
            problems[field.encode_name + path] = message
    if type_.__struct_config__.forbid_unknown_fields:
        known = {field.encode_name for field in fields}
        problems.update({name: "There is no such field." for name in plain if name not in known})
    return problems


def _where(message: str) -> tuple[str, str]:
    """`Expected ... - at `$.a[0]`` as `.a.0` and `Expected ...`."""
    found = _WHERE.search(message)
    if not found:
        return "", f"{message}."
    steps = [step["name"] or step["index"] for step in _STEP.finditer(found["path"])]
    return "".join(f".{step}" for step in steps), f"{message[: found.start()]}."


def _nul_in(plain: object, path: str) -> str | None:
    if isinstance(plain, str):
        return path if "\0" in plain else None
    items: list[tuple[object, object]] = []
    if isinstance(plain, dict):
        if any("\0" in name for name in plain):
            return path or "body"
        items = list(plain.items())
    elif isinstance(plain, list):
        items = list(enumerate(plain))
    return next((where for step, value in items if (where := _nul_in(value, f"{path}.{step}"))), None)
