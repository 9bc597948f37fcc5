"""The two shapes of responses."""

from typing import Generic, Literal, TypeVar

import msgspec

from core.errors import Details

Data = TypeVar("Data")


class Success(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    success: Literal[True] = True
    data: Data


class Refusal(msgspec.Struct, frozen=True):
    code: str
    """Stable."""
    message: str
    """In the language of the request."""
    details: Details | None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    success: Literal[False] = False
    error: Refusal
