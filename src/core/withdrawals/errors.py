from core.errors import Category, DomainError, NotFound


class WithdrawalNotFound(NotFound):
    code = "WITHDRAWAL_NOT_FOUND"
    message = "There is no such withdrawal."


class WithdrawalPending(DomainError):
    code = "WITHDRAWAL_PENDING"
    category = Category.CONFLICT
    message = "A withdrawal of yours has not been settled yet."


class WithdrawalEnded(DomainError):
    code = "WITHDRAWAL_ENDED"
    category = Category.CONFLICT
    message = "This withdrawal has been settled or rejected already."
