from dataclasses import dataclass

from core.community.repository import Likes
from core.community.views import Liked
from core.generations.repository import Generations
from core.identifiers import GenerationId, UserId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LikeGeneration:
    """Like a visible generation; its owner, if another user, is notified the first time."""

    generations: Generations
    likes: Likes
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, requester: UserId, generation_id: GenerationId) -> Liked:
        now = self.clock.now()
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            generation.check_visible_to(requester)
            await self.likes.add(requester, generation_id, at=now)
            if generation.owner_id != requester:
                await self.notifier.notify(
                    Notification(
                        id=await self.ids.notification(),
                        recipient=generation.owner_id,
                        type=NotificationType.LIKE,
                        reason=f"like:{generation_id}:{requester}",
                        target_type="generation",
                        target_id=generation_id,
                        at=now,
                        actor=requester,
                    )
                )
            return Liked(liked=True, like_count=await self.likes.count(generation_id))
