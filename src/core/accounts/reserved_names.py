"""Names that look like the service's own, which users and artists may not take."""

import re

from core.text import unique_key

_SEPARATORS = re.compile(r"[\W_]+")
_RESERVED = frozenset(
    {
        "admin",
        "administrator",
        "admins",
        "anonymous",
        "api",
        "billing",
        "help",
        "helpdesk",
        "info",
        "me",
        "moderation",
        "moderator",
        "noreply",
        "official",
        "operator",
        "payments",
        "postmaster",
        "root",
        "security",
        "staff",
        "stylelicense",
        "stylelicenseofficial",
        "stylelicensesupport",
        "superuser",
        "support",
        "system",
        "team",
        "webmaster",
        "고객센터",
        "공식",
        "관리자",
        "운영자",
    }
)


def is_reserved(name: str) -> bool:
    """Whether the name is reserved, whatever its case, width and separators."""
    return _SEPARATORS.sub("", unique_key(name)) in _RESERVED
