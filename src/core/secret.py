"""Texts that are not to be shown: passwords, keys, bearer tokens."""

import hmac

HIDDEN = "********"


class Secret:
    """A text that is only shown by `reveal`.

    `repr`, `str` and formatting show asterisks, so logs, errors and tracebacks do not contain it; encoders refuse it.
    Comparing takes the same time wherever texts differ.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text. Call it where the text is used, and do not keep what it returns."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")
