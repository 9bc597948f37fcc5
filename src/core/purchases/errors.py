from core.errors import Category, DomainError, NotFound


class InvalidPackage(DomainError):
    code = "INVALID_PACKAGE"
    category = Category.MALFORMED


class PurchaseNotFound(NotFound):
    code = "PURCHASE_NOT_FOUND"


class PaymentMismatch(DomainError):
    """The payment is unknown, or for another purchase or amount. The purchase does not change."""

    code = "PAYMENT_MISMATCH"
    category = Category.CONFLICT
