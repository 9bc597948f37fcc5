"""Lenient JSON, for webhooks: only malformed JSON is refused, never the text or the numbers in it."""

import json
import math
import re
from typing import Any, Protocol, Self, cast

from entrypoints.http.body import StrictJson
from entrypoints.http.errors import JsonObjectRequired, MalformedBody

REPLACEMENT = "\ufffd"
MAX_DEPTH = 32
"""Levels of arrays and objects that are stored."""
INTEGERS = range(-(2**63), 2**64)
"""The integers that JSON encoders and the database accept."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string or a bracket. A string that does not end is one, too: nothing is read twice."""


class Report(Protocol):
    @classmethod
    def read(cls, body: bytes) -> Self:
        """Raises MalformedBody or ValidationError."""
        ...


class LenientJson(StrictJson):
    """Decodes a handler's `data`, a Report, whatever content type is declared."""

    def decode_bytes(self, value: bytes) -> Any:
        handler = cast("Any", self.asgi_connection).route_handler
        report: type[Report] = handler.parsed_data_field.annotation
        return report.read(value)


def read_object(body: bytes) -> dict[str, object]:
    """Raises MalformedBody if the body is no JSON object; see `read`."""
    plain = read(body)
    if not isinstance(plain, dict):
        raise JsonObjectRequired
    return plain


def read(body: bytes) -> object:
    """The body's plain data, in a form that can be stored. Raises MalformedBody if it is no JSON.

    NUL, lone surrogates and bytes that are no UTF-8 become U+FFFD. `NaN`, `Infinity`, numbers beyond 64 bits, and
    arrays and objects nested deeper than MAX_DEPTH become null.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        plain = _DECODER.decode(_cut_off(text))
    except ValueError:
        raise MalformedBody from None
    # Text has a NUL or a lone surrogate only from an escape, or from a NUL that is sent as it is.
    return _storable(plain) if "\\u" in text or "\0" in text else plain


def storable_text(text: str) -> str:
    return _UNSTORABLE.sub(REPLACEMENT, text)


def _storable(plain: object) -> object:
    if isinstance(plain, str):
        return storable_text(plain)
    if isinstance(plain, list):
        return [_storable(item) for item in plain]
    if isinstance(plain, dict):
        return {storable_text(name): _storable(value) for name, value in plain.items()}
    return plain


def _cut_off(text: str) -> str:
    """With null for arrays and objects below MAX_DEPTH, since decoders recurse."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return text
    kept, begin, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in {"[", "{"}:
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += [text[begin : token.start()], "null"]
        elif token[0] in {"]", "}"}:
            if depth == MAX_DEPTH + 1:
                begin = token.end()
            depth -= 1
    if depth > MAX_DEPTH:
        raise MalformedBody
    return "".join([*kept, text[begin:]])


def _integer(digits: str) -> int | None:
    if len(digits) > len(str(INTEGERS.start)):
        return None
    return number if (number := int(digits)) in INTEGERS else None


def _finite(digits: str) -> float | None:
    return number if math.isfinite(number := float(digits)) else None


_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None, parse_int=_integer, parse_float=_finite)
