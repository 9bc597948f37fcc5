from datetime import datetime
from typing import Protocol

from core.community.model import Comment
from core.identifiers import CommentId, GenerationId, UserId


class Follows(Protocol):
    """Follows, in the open transaction."""

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        """Raises DuplicateFollow or UserNotFound; either may surface at the commit."""
        ...

    async def remove(self, follower: UserId, followed: UserId) -> None:
        """A missing follow is no error."""
        ...

    async def count(self, followed: UserId) -> int:
        """How many followers the user has. After `add` or `remove`, exact until the transaction ends. Raises
        UserNotFound.
        """
        ...


class Likes(Protocol):
    """Likes of generations, in the open transaction. The generation exists and is locked."""

    async def add(self, user_id: UserId, generation_id: GenerationId, *, at: datetime) -> None:
        """Raises DuplicateLike, which may surface at the commit."""
        ...

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        """A missing like is no error."""
        ...

    async def exists(self, user_id: UserId, generation_id: GenerationId) -> bool:
        """Whether the user likes the generation."""
        ...

    async def count(self, generation_id: GenerationId) -> int:
        """How many likes the generation has."""
        ...


class Comments(Protocol):
    """Comments on images, in the open transaction."""

    async def of_id(self, comment_id: CommentId, *, lock: bool = False) -> Comment:
        """Raises CommentNotFound."""
        ...

    async def add(self, comment: Comment) -> None:
        """The generation is locked; the parent comment exists."""
        ...

    async def save(self, comment: Comment) -> None:
        """Raises CommentNotFound, which may surface at the commit."""
        ...

    async def remove(self, comment: Comment) -> None:
        """Includes replies; the generation is locked. Raises CommentNotFound, which may surface at the commit."""
        ...
