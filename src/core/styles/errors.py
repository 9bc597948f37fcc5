from core.errors import Category, DomainError, NotFound


class StyleNotFound(NotFound):
    code = "STYLE_NOT_FOUND"


class StyleNotReady(DomainError):
    code = "STYLE_NOT_READY"
    category = Category.INVALID


class StyleWithdrawn(DomainError):
    """It was withdrawn for good: it can be neither edited nor trained."""

    code = "STYLE_WITHDRAWN"
    category = Category.CONFLICT


class ImagesWithdrawn(DomainError):
    """The style was withdrawn together with its published images: none can be published."""

    code = "IMAGES_WITHDRAWN"
    category = Category.CONFLICT


class StyleUsed(DomainError):
    """Generations were requested with it."""

    code = "STYLE_USED"
    category = Category.CONFLICT


class TrainingInProgress(DomainError):
    code = "TRAINING_IN_PROGRESS"
    category = Category.CONFLICT


class VersionNotFound(NotFound):
    code = "VERSION_NOT_FOUND"


class VersionNotReady(DomainError):
    """The version is not trained."""

    code = "VERSION_NOT_READY"
    category = Category.CONFLICT


class VersionInTraining(DomainError):
    """Another version of the style is in training."""

    code = "VERSION_IN_TRAINING"
    category = Category.CONFLICT


class VersionLimitReached(DomainError):
    code = "VERSION_LIMIT_REACHED"
    category = Category.FORBIDDEN

    def __init__(self, limit: int) -> None:
        super().__init__(details={"limit": limit})


class StyleLimitReached(DomainError):
    code = "STYLE_LIMIT_REACHED"
    category = Category.FORBIDDEN

    def __init__(self, limit: int) -> None:
        super().__init__(details={"limit": limit})


class DuplicateStyleName(DomainError):
    code = "DUPLICATE_STYLE_NAME"
    category = Category.CONFLICT


class RightsNotAffirmed(DomainError):
    code = "RIGHTS_NOT_AFFIRMED"
    category = Category.INVALID


class InsufficientImages(DomainError):
    code = "INSUFFICIENT_IMAGES"
    category = Category.INVALID

    def __init__(self, *, required: int, received: int) -> None:
        super().__init__(details={"required": required, "received": received})


class TooManyImages(DomainError):
    code = "TOO_MANY_IMAGES"
    category = Category.INVALID

    def __init__(self, *, allowed: int, received: int) -> None:
        super().__init__(details={"allowed": allowed, "received": received})


class ImageRefused(DomainError):
    """One of several uploaded images is refused; `details` names the file and its index."""

    category = Category.INVALID

    def __init__(self, *, index: int, file: str, **more: object) -> None:
        super().__init__(details={"index": index, "file": file, **more})


class InvalidImageFormat(ImageRefused):
    code = "INVALID_IMAGE_FORMAT"


class DuplicateImage(ImageRefused):
    """The same file as an earlier one of the set, whose index is `same_as`."""

    code = "DUPLICATE_IMAGE"


class ImageSizeExceeded(ImageRefused):
    code = "IMAGE_SIZE_EXCEEDED"


class ImageResolutionTooLow(ImageRefused):
    code = "IMAGE_RESOLUTION_TOO_LOW"


class StyleClosed(DomainError):
    """An admin has closed the style."""

    code = "STYLE_CLOSED"
    category = Category.FORBIDDEN


class NotInReview(DomainError):
    """No training of the style waits for an admin."""

    code = "NOT_IN_REVIEW"
    category = Category.CONFLICT


class ArtworksRejected(DomainError):
    """An admin has rejected the training."""

    code = "ARTWORKS_REJECTED"
    category = Category.CONFLICT
