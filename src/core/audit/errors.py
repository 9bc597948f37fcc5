from core.errors import Category, DomainError


class AdminRequired(DomainError):
    """The action needs the name of an admin, and the command was called in nobody's."""

    code = "ADMIN_REQUIRED"
    category = Category.FORBIDDEN
