"""Which language `Accept-Language` asks for: English, unless it prefers Korean."""

from entrypoints.messages import ENGLISH, KOREAN, Catalogue

MAX_LENGTH = 500
"""Characters of `Accept-Language` that are read: browsers send less than a hundred."""


def catalogue_for(accept_language: str | None) -> Catalogue:
    return KOREAN if _prefers_korean(accept_language) else ENGLISH


def _prefers_korean(accept_language: str | None) -> bool:
    """Whether the header gives Korean a higher weight than English, or the same and an earlier place (RFC 9110)."""
    if not accept_language:
        return False
    liked: dict[str, float] = {}
    for part in accept_language[:MAX_LENGTH].split(","):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        liked.setdefault(language, _weight(weight))
    favourite = max(("ko", "en"), key=lambda language: liked.get(language, 0.0))
    if liked.get("ko") == liked.get("en"):
        favourite = next((language for language in liked if language in {"ko", "en"}), "en")
    return favourite == "ko" and liked.get("ko", 0.0) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
