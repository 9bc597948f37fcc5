from core.errors import Category, DomainError, NotFound


class GenerationNotFound(NotFound):
    code = "GENERATION_NOT_FOUND"


class GenerationChanged(DomainError):
    """A concurrent edit was committed first."""

    code = "GENERATION_CHANGED"
    category = Category.CONFLICT


class PriceChanged(DomainError):
    """The style costs another price than the caller expects; nothing was held."""

    code = "PRICE_CHANGED"
    category = Category.CONFLICT

    def __init__(self, price: int) -> None:
        super().__init__(details={"price": price})


class ResultTaken(DomainError):
    """The object is already the result of another generation."""

    code = "RESULT_TAKEN"
    category = Category.INVALID


class GenerationStillProcessing(DomainError):
    code = "GENERATION_STILL_PROCESSING"
    category = Category.CONFLICT


class GenerationEnded(DomainError):
    code = "GENERATION_ENDED"
    category = Category.CONFLICT


class GenerationNotCompleted(DomainError):
    code = "GENERATION_NOT_COMPLETED"
    category = Category.CONFLICT


class ResultBroken(DomainError):
    """The stored result is not a valid image and cannot be published."""

    code = "RESULT_BROKEN"
    category = Category.CONFLICT


class GenerationHidden(DomainError):
    """An admin has hidden the image."""

    code = "GENERATION_HIDDEN"
    category = Category.FORBIDDEN
