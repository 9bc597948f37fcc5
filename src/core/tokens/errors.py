from core.errors import Category, DomainError


class InsufficientTokens(DomainError):
    code = "INSUFFICIENT_TOKENS"
    category = Category.UNAFFORDABLE

    def __init__(self, *, required: int, available: int) -> None:
        super().__init__(details={"required": required, "available": available})


class DebtOutstanding(DomainError):
    """The wallet has a debt: it can neither spend nor withdraw."""

    code = "DEBT_OUTSTANDING"
    category = Category.UNAFFORDABLE


class NoDebt(DomainError):
    code = "NO_DEBT"
    category = Category.CONFLICT


class DuplicateTransfer(DomainError):
    """There is a transfer with this reference already."""

    code = "DUPLICATE_TRANSFER"
    category = Category.CONFLICT


class HoldAlreadyResolved(DomainError):
    code = "HOLD_ALREADY_RESOLVED"
    category = Category.CONFLICT


class HoldNotFound(DomainError):
    code = "HOLD_NOT_FOUND"
    category = Category.NOT_FOUND


class AccountNotFound(DomainError):
    code = "ACCOUNT_NOT_FOUND"
    category = Category.NOT_FOUND
