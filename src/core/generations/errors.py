from core.errors import Category, DomainError, NotFound


class GenerationNotFound(NotFound):
    code = "GENERATION_NOT_FOUND"
    message = "There is no such image."


class GenerationChanged(DomainError):
    """Two edits met; the other one was first."""

    code = "GENERATION_CHANGED"
    category = Category.CONFLICT
    message = "The image was being edited at the same moment; look and try again."


class ResultTaken(DomainError):
    """An object is the result of one generation at most."""

    code = "RESULT_TAKEN"
    category = Category.INVALID
    message = "The object is the result of another generation."


class GenerationStillProcessing(DomainError):
    code = "GENERATION_STILL_PROCESSING"
    category = Category.CONFLICT
    message = "The image is being worked on; it can no longer be cancelled."


class GenerationEnded(DomainError):
    code = "GENERATION_ENDED"
    category = Category.CONFLICT
    message = "The image has been made, has failed or was cancelled already."


class GenerationNotCompleted(DomainError):
    code = "GENERATION_NOT_COMPLETED"
    category = Category.CONFLICT
    message = "There is no image yet that could be shown."


class ResultBroken(DomainError):
    """What the inference server stored is no image that others could be shown."""

    code = "RESULT_BROKEN"
    category = Category.CONFLICT
    message = "The stored image is damaged and cannot be published."
