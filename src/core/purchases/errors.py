from enum import Enum

from core.errors import Category, DomainError, NotFound


class RefundObstacle(Enum):
    NOT_PAID = "not_paid"
    """Never paid, or all of it has gone back."""
    REFUNDING = "refunding"
    """A refund is under way."""
    TOO_LATE = "too_late"
    SPENT = "spent"
    """Fewer bought tokens are available than would go back."""


class InvalidPackage(DomainError):
    code = "INVALID_PACKAGE"
    category = Category.MALFORMED


class PurchaseNotFound(NotFound):
    code = "PURCHASE_NOT_FOUND"


class NotRefundable(DomainError):
    """The details tell the `reason`."""

    code = "NOT_REFUNDABLE"
    category = Category.CONFLICT

    def __init__(self, reason: RefundObstacle) -> None:
        super().__init__(details={"reason": reason.value})


class PaymentMismatch(DomainError):
    """The payment is unknown, or for another purchase or amount. The purchase does not change."""

    code = "PAYMENT_MISMATCH"
    category = Category.CONFLICT
