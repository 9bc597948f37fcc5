from core.errors import Category, DomainError, NotFound


class WithdrawalNotFound(NotFound):
    code = "WITHDRAWAL_NOT_FOUND"
    message = "There is no such withdrawal."


class WithdrawalEnded(DomainError):
    code = "WITHDRAWAL_ENDED"
    category = Category.CONFLICT
    message = "This withdrawal has been settled or rejected already."
