from core.errors import Category, DomainError


class InsufficientTokens(DomainError):
    code = "INSUFFICIENT_TOKENS"
    category = Category.UNAFFORDABLE
    message = "There are not enough tokens for this."

    def __init__(self, *, required: int, available: int) -> None:
        super().__init__(details={"required": required, "available": available})


class DuplicateTransfer(DomainError):
    """There is a transfer with this reference already."""

    code = "DUPLICATE_TRANSFER"
    category = Category.CONFLICT
    message = "These tokens have been moved already."


class HoldAlreadyResolved(DomainError):
    code = "HOLD_ALREADY_RESOLVED"
    category = Category.CONFLICT
    message = "These tokens have been paid or given back already."


class HoldNotFound(DomainError):
    code = "HOLD_NOT_FOUND"
    category = Category.NOT_FOUND
    message = "No tokens are on hold under this number."


class AccountNotFound(DomainError):
    code = "ACCOUNT_NOT_FOUND"
    category = Category.NOT_FOUND
    message = "There is no such account."
