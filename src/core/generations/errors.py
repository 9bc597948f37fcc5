from core.errors import Category, DomainError, NotFound


class GenerationNotFound(NotFound):
    code = "GENERATION_NOT_FOUND"
    message = "There is no such image."


class GenerationChanged(DomainError):
    """A concurrent edit was committed first."""

    code = "GENERATION_CHANGED"
    category = Category.CONFLICT
    message = "The image was being edited at the same moment; look and try again."


class ResultTaken(DomainError):
    """The object is already the result of another generation."""

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
    """The stored result is not a valid image and cannot be published."""

    code = "RESULT_BROKEN"
    category = Category.CONFLICT
    message = "The stored image is damaged and cannot be published."
