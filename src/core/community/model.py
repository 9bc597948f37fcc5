from datetime import datetime

import msgspec

from core.community.errors import CommentNotFound
from core.errors import ValidationError
from core.generations.model import Generation
from core.identifiers import CommentId, GenerationId, UserId
from core.problems import blank_or_too_long
from core.text import parse_free_text, problem_of_free_text

MAX_CONTENT = 500


class Comment(msgspec.Struct, frozen=True):
    id: CommentId
    generation_id: GenerationId
    author_id: UserId
    content: str
    """Plain text, not markup."""
    created_at: datetime
    updated_at: datetime
    parent_id: CommentId | None = None
    """The comment that this one replies to, or None."""
    hidden: bool = False
    """Nobody sees the text until an admin has decided on reports of it."""

    def check_visible_to(self, viewer: UserId, image: Generation) -> None:
        """Raises CommentNotFound if the viewer may not see the image."""
        if not image.visible_to(viewer):
            raise CommentNotFound

    def edit(self, *, at: datetime, content: str) -> "Comment":
        """Raises ValidationError."""
        return msgspec.structs.replace(self, content=parse_content(content), updated_at=at)


def parse_content(text: str) -> str:
    """Comment text as it is stored. Raises ValidationError."""
    content = parse_free_text(text)
    if len(content) > MAX_CONTENT or not content.strip():
        raise ValidationError(content=blank_or_too_long(MAX_CONTENT))
    if problem := problem_of_free_text(content, limit=MAX_CONTENT):
        raise ValidationError(content=problem)
    return content
