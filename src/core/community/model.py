from datetime import datetime

import msgspec

from core.community.errors import CommentNotFound
from core.errors import ValidationError
from core.generations.model import Generation
from core.identifiers import CommentId, GenerationId, UserId

MAX_CONTENT = 500


class Comment(msgspec.Struct, frozen=True):
    id: CommentId
    generation_id: GenerationId
    author_id: UserId
    content: str
    """As it was written; never to be taken for markup."""
    created_at: datetime
    updated_at: datetime
    parent_id: CommentId | None = None
    """What it replies to; None for one that is no reply."""

    def __post_init__(self) -> None:
        if len(self.content) > MAX_CONTENT or not self.content.strip():
            raise ValidationError(content=f"1 to {MAX_CONTENT} characters, not only spaces.")

    def check_shown_to(self, viewer: UserId, image: Generation) -> None:
        """Raises CommentNotFound for who may not see the image, unless the comment is theirs."""
        if self.author_id != viewer and not image.shown_to(viewer):
            raise CommentNotFound

    def edited(self, *, at: datetime, content: str) -> "Comment":
        return msgspec.structs.replace(self, content=content, updated_at=at)
