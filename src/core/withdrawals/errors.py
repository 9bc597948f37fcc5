from core.errors import Category, DomainError, NotFound


class WithdrawalNotFound(NotFound):
    code = "WITHDRAWAL_NOT_FOUND"


class OwnWithdrawal(DomainError):
    """An admin cannot settle or reject their own withdrawal."""

    code = "OWN_WITHDRAWAL"
    category = Category.FORBIDDEN


class WithdrawalPending(DomainError):
    code = "WITHDRAWAL_PENDING"
    category = Category.CONFLICT


class WithdrawalEnded(DomainError):
    code = "WITHDRAWAL_ENDED"
    category = Category.CONFLICT
