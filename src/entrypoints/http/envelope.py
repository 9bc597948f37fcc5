"""The two shapes that every answer has."""

from typing import Generic, Literal, TypeVar

import msgspec

from core.errors import Details

Data = TypeVar("Data")


class Success(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    success: Literal[True] = True
    data: Data


class Refusal(msgspec.Struct, frozen=True):
    code: str
    """Never changes once published."""
    message: str
    """Prose in the language that was asked for."""
    details: Details | None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    success: Literal[False] = False
    error: Refusal
