from core.errors import Category, DomainError, NotFound


class InvalidPackage(DomainError):
    code = "INVALID_PACKAGE"
    category = Category.MALFORMED


class PurchaseNotFound(NotFound):
    code = "PURCHASE_NOT_FOUND"


class PaymentMismatch(DomainError):
    """The payment is of another purchase, for another amount, or none at all. The purchase stays as it is."""

    code = "PAYMENT_MISMATCH"
    category = Category.CONFLICT
