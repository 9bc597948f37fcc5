from core.errors import Category, DomainError, NotFound


class WithdrawalNotFound(NotFound):
    code = "WITHDRAWAL_NOT_FOUND"


class WithdrawalPending(DomainError):
    code = "WITHDRAWAL_PENDING"
    category = Category.CONFLICT


class WithdrawalEnded(DomainError):
    code = "WITHDRAWAL_ENDED"
    category = Category.CONFLICT
