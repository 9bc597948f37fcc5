from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.community.repository import Comments
from core.errors import Forbidden
from core.generations.repository import Generations
from core.identifiers import CommentId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.requester import Requester


@dataclass(frozen=True, slots=True)
class DeleteComment:
    """Delete one's own comment, or any comment as an admin, including its replies; also of a hidden image."""

    generations: Generations
    comments: Comments
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: Requester, comment_id: CommentId, *, trace_id: str | None = None) -> None:
        async with self.transaction:
            comment = await self.comments.of_id(comment_id)
            image = await self.generations.of_id(comment.generation_id, lock=True)
            if not requester.is_admin and comment.author_id != requester.id:
                comment.check_visible_to(requester.id, image)
                raise Forbidden
            await self.comments.remove(comment)
            if comment.author_id != requester.id:
                operator = Operator(requester.id, trace_id=trace_id)
                await self.audit.add(
                    AuditEntry(
                        operator,
                        Action.COMMENT_DELETED,
                        "comment",
                        str(comment_id),
                        self.clock.now(),
                        before={"author_id": comment.author_id, "generation_id": comment.generation_id},
                    )
                )
