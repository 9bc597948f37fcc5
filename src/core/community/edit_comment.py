from dataclasses import dataclass

from core.community.repository import Comments
from core.errors import Forbidden
from core.generations.repository import Generations
from core.identifiers import CommentId, UserId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EditComment:
    """Change the text of one's own comment."""

    generations: Generations
    comments: Comments
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId, comment_id: CommentId, content: str) -> None:
        async with self.transaction:
            comment = await self.comments.of_id(comment_id, lock=True)
            comment.check_visible_to(requester, await self.generations.of_id(comment.generation_id))
            if comment.author_id != requester:
                raise Forbidden
            await self.comments.save(comment.edit(at=self.clock.now(), content=content))
