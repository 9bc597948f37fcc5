"""The uploads that users have in progress at this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Category, DomainError
from core.identifiers import UserId

PER_USER = 3
"""Uploads that a user may have in progress at one process: each takes disk space and a place at the image workers."""


class TooManyUploads(DomainError):
    code = "TOO_MANY_UPLOADS"
    category = Category.TOO_MANY


class UploadsInProgress:
    def __init__(self) -> None:
        self._users: Counter[UserId] = Counter()

    @contextmanager
    def place(self, user_id: UserId) -> Iterator[None]:
        """Raises TooManyUploads."""
        if self._users[user_id] >= PER_USER:
            raise TooManyUploads
        self._users[user_id] += 1
        try:
            yield
        finally:
            self._users[user_id] -= 1
            if not self._users[user_id]:
                del self._users[user_id]
