from enum import Enum


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
    """A refusal. `code` is stable once published; `message` is English prose; `details` is plain data."""

    code: str = "DOMAIN_ERROR"
    category: Category = Category.INVALID
    message: str = "The request was refused."

    def __init__(self, message: str | None = None, *, details: Details | None = None) -> None:
        self.message = message or self.message
        self.details = details
        super().__init__(self.message)


class ValidationError(DomainError):
    """Fields that break a domain rule; `details` maps field names to problems."""

    code = "VALIDATION_ERROR"
    category = Category.INVALID
    message = "Some fields are not valid."

    def __init__(self, /, **fields: str) -> None:  # a field may be named `self`
        super().__init__(details=dict(fields))


class Forbidden(DomainError):
    code = "FORBIDDEN"
    category = Category.FORBIDDEN
    message = "You are not allowed to do this."


class NotFound(DomainError):
    code = "NOT_FOUND"
    category = Category.NOT_FOUND
    message = "There is no such thing."


class InvalidCursor(ValidationError):
    def __init__(self) -> None:
        super().__init__(cursor="This cursor was not issued by this service.")
