from datetime import datetime
from typing import Protocol

from core.community.model import Comment
from core.identifiers import CommentId, GenerationId, UserId


class Follows(Protocol):
    """Who follows whom, in the open transaction."""

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        """Raises DuplicateFollow or UserNotFound; either may surface at the commit."""
        ...

    async def remove(self, follower: UserId, followed: UserId) -> None:
        """One that is not there is no error."""
        ...

    async def count(self, followed: UserId) -> int:
        """How many follow them; exact until the block ends once it has added or removed one. Raises UserNotFound."""
        ...


class Likes(Protocol):
    """Who likes which images, in the open transaction. The image is there and locked."""

    async def add(self, user_id: UserId, generation_id: GenerationId, *, at: datetime) -> None:
        """Raises DuplicateLike, which may surface at the commit."""
        ...

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        """One that is not there is no error."""
        ...

    async def count(self, generation_id: GenerationId) -> int:
        """How many like it."""
        ...


class Comments(Protocol):
    """Comments on images, in the open transaction."""

    async def of_id(self, comment_id: CommentId, *, lock: bool = False) -> Comment:
        """Raises CommentNotFound."""
        ...

    async def add(self, comment: Comment) -> None:
        """Its image is locked; what it replies to is there."""
        ...

    async def save(self, comment: Comment) -> None:
        """Raises CommentNotFound, which may surface at the commit."""
        ...

    async def remove(self, comment: Comment) -> None:
        """With its replies; its image is locked. Raises CommentNotFound, which may surface at the commit."""
        ...
