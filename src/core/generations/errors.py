from core.errors import Category, DomainError, NotFound


class GenerationNotFound(NotFound):
    code = "GENERATION_NOT_FOUND"


class GenerationChanged(DomainError):
    """Two edits met; the other one was first."""

    code = "GENERATION_CHANGED"
    category = Category.CONFLICT


class ResultTaken(DomainError):
    """An object is the result of one generation at most."""

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
    """What the inference server stored is no image that others could be shown."""

    code = "RESULT_BROKEN"
    category = Category.CONFLICT
