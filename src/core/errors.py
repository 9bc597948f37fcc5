from enum import Enum

from core.problems import INVALID_CURSOR, Problem


class Category(Enum):
    """The kind of a refusal; entrypoints map it to a status."""

    INVALID = "invalid"
    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    UNAFFORDABLE = "unaffordable"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


Details = dict[str, object]


class DomainError(Exception):
    """A refusal. Its messages are in the catalogues of `entrypoints/messages`, by code.

    `details` are for the caller: plain data, or Problems by field. `reason` is for operators only.
    """

    code: str
    """Never changes once published."""
    category: Category
    message_code: str | None = None
    """Of a message that is more exact than that of `code`."""

    def __init__(self, *, details: Details | None = None, reason: str | None = None) -> None:
        self.details = details
        self.reason = reason
        super().__init__(f"{self.code}: {reason}" if reason else self.code)


class ValidationError(DomainError):
    """Fields that break a domain rule; `details` maps field names to problems."""

    code = "VALIDATION_ERROR"
    category = Category.INVALID

    def __init__(self, /, **fields: Problem) -> None:  # a field may be named `self`
        super().__init__(details=dict(fields))


class Forbidden(DomainError):
    code = "FORBIDDEN"
    category = Category.FORBIDDEN


class NotFound(DomainError):
    code = "NOT_FOUND"
    category = Category.NOT_FOUND


class InvalidCursor(ValidationError):
    def __init__(self) -> None:
        super().__init__(cursor=INVALID_CURSOR)
