from core.errors import Category, DomainError, NotFound
from core.styles.errors import ImageRefused


class UploadLimitReached(DomainError):
    """The artist has too many unused uploads."""

    code = "UPLOAD_LIMIT_REACHED"
    category = Category.FORBIDDEN

    def __init__(self, limit: int) -> None:
        super().__init__(details={"limit": limit})


class UploadNotFound(NotFound):
    code = "UPLOAD_NOT_FOUND"


class UploadUsed(DomainError):
    """A style or version was made of it."""

    code = "UPLOAD_USED"
    category = Category.CONFLICT


class UnusableUpload(DomainError):
    """An upload that was not announced by this artist, was used before, or has expired; `details` names its index."""

    code = "UNUSABLE_UPLOAD"
    category = Category.INVALID

    def __init__(self, *, index: int) -> None:
        super().__init__(details={"index": index})


class UploadMissing(ImageRefused):
    """The file is not in the store."""

    code = "UPLOAD_MISSING"


class CheckTakenOver(Exception):
    """Another process has claimed the check, or the version was removed."""
