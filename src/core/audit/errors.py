from core.errors import Category, DomainError


class AdminRequired(DomainError):
    """The action needs a named admin, and the command was run without one."""

    code = "ADMIN_REQUIRED"
    category = Category.FORBIDDEN
