from dataclasses import dataclass

import msgspec

from core.community.errors import CommentNotFound, ReplyDepthExceeded
from core.community.model import Comment, parse_content
from core.community.repository import Comments
from core.generations.model import Generation
from core.generations.repository import Generations
from core.identifiers import CommentId, GenerationId, UserId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction


class NewComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content: str
    parent_id: CommentId | None = None
    """The comment that this one replies to; a reply cannot be replied to."""


@dataclass(frozen=True, slots=True)
class PostComment:
    """Comment on a visible generation; notifies its owner and the author of the parent comment, but never the
    commenter.
    """

    generations: Generations
    comments: Comments
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, requester: UserId, generation_id: GenerationId, new: NewComment) -> CommentId:
        now = self.clock.now()
        comment = Comment(
            id=await self.ids.comment(),
            generation_id=generation_id,
            author_id=requester,
            content=parse_content(new.content),
            created_at=now,
            updated_at=now,
            parent_id=new.parent_id,
        )
        async with self.transaction:
            image = await self.generations.of_id(generation_id, lock=True)
            image.check_visible_to(requester)
            parent = await self._parent(comment)
            await self.comments.add(comment)
            await self._notify(comment, parent, image)
        return comment.id

    async def _parent(self, comment: Comment) -> Comment | None:
        if comment.parent_id is None:
            return None
        parent = await self.comments.of_id(comment.parent_id)
        if parent.generation_id != comment.generation_id:
            raise CommentNotFound
        if parent.parent_id is not None:
            raise ReplyDepthExceeded
        return parent

    async def _notify(self, comment: Comment, parent: Comment | None, image: Generation) -> None:
        concerned = {image.owner_id}
        if parent is not None and image.visible_to(parent.author_id):
            concerned.add(parent.author_id)
        for recipient in sorted(concerned - {comment.author_id}):
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=recipient,
                    type=NotificationType.COMMENT,
                    reason=f"comment:{comment.id}",
                    target_type="generation",
                    target_id=image.id,
                    at=comment.created_at,
                    actor=comment.author_id,
                    metadata={"comment_id": comment.id, "parent_id": comment.parent_id},
                )
            )
