from core.errors import Category, DomainError


class UploadLimitReached(DomainError):
    """The artist has announced as many files as can wait to be used."""

    code = "UPLOAD_LIMIT_REACHED"
    category = Category.FORBIDDEN

    def __init__(self, limit: int) -> None:
        super().__init__(details={"limit": limit})
