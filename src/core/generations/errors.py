from core.errors import Category, DomainError, NotFound


class GenerationNotFound(NotFound):
    code = "GENERATION_NOT_FOUND"
    message = "There is no such image."


class GenerationNotCompleted(DomainError):
    code = "GENERATION_NOT_COMPLETED"
    category = Category.CONFLICT
    message = "There is no image yet that could be shown."
