from dataclasses import dataclass

from core.community.repository import Likes
from core.generations.repository import Generations
from core.identifiers import GenerationId, UserId
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class UnlikeGeneration:
    """Unlike a generation; no error if it is not liked. A like of an image hidden afterwards can be removed too."""

    generations: Generations
    likes: Likes
    transaction: Transaction

    async def __call__(self, requester: UserId, generation_id: GenerationId) -> None:
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if not await self.likes.exists(requester, generation_id):
                generation.check_visible_to(requester)
            await self.likes.remove(requester, generation_id)
