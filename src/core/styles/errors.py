from core.errors import Category, DomainError, NotFound


class StyleNotFound(NotFound):
    code = "STYLE_NOT_FOUND"
    message = "There is no such style."


class StyleNotReady(DomainError):
    code = "STYLE_NOT_READY"
    category = Category.INVALID
    message = "This style cannot be used: it is not trained yet, or it is closed."


class StyleUsed(DomainError):
    """Generations were requested with it."""

    code = "STYLE_USED"
    category = Category.CONFLICT
    message = "Images have been asked for with this style."


class TrainingInProgress(DomainError):
    code = "TRAINING_IN_PROGRESS"
    category = Category.CONFLICT
    message = "Only a training that has failed can be started again."


class StyleLimitReached(DomainError):
    code = "STYLE_LIMIT_REACHED"
    category = Category.FORBIDDEN
    message = "You have as many styles as an artist can have."

    def __init__(self, limit: int) -> None:
        super().__init__(details={"limit": limit})


class DuplicateStyleName(DomainError):
    code = "DUPLICATE_STYLE_NAME"
    category = Category.CONFLICT
    message = "You have a style of this name already."


class RightsNotAffirmed(DomainError):
    code = "RIGHTS_NOT_AFFIRMED"
    category = Category.INVALID
    message = "A style can be made only of pictures whose rights are yours."


class InsufficientImages(DomainError):
    code = "INSUFFICIENT_IMAGES"
    category = Category.INVALID
    message = "There are too few training images."

    def __init__(self, *, required: int, received: int) -> None:
        super().__init__(details={"required": required, "received": received})


class TooManyImages(DomainError):
    code = "TOO_MANY_IMAGES"
    category = Category.INVALID
    message = "There are too many training images."

    def __init__(self, *, allowed: int, received: int) -> None:
        super().__init__(details={"allowed": allowed, "received": received})


class ImageRefused(DomainError):
    """One of several uploaded images is refused; `details` names the file and its index."""

    category = Category.INVALID

    def __init__(self, *, index: int, file: str, **more: object) -> None:
        super().__init__(details={"index": index, "file": file, **more})


class InvalidImageFormat(ImageRefused):
    code = "INVALID_IMAGE_FORMAT"
    message = "A training image is not a complete JPEG or PNG file."


class ImageSizeExceeded(ImageRefused):
    code = "IMAGE_SIZE_EXCEEDED"
    message = "A training image is too large."


class ImageResolutionTooLow(ImageRefused):
    code = "IMAGE_RESOLUTION_TOO_LOW"
    message = "A training image has too few pixels."
