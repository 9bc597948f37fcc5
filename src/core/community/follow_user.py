from dataclasses import dataclass

from core.community.errors import SelfFollowNotAllowed
from core.community.repository import Follows
from core.community.views import Followed
from core.identifiers import UserId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class FollowUser:
    """Follow a user; they are notified the first time."""

    follows: Follows
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, requester: UserId, followed: UserId) -> Followed:
        if requester == followed:
            raise SelfFollowNotAllowed
        now = self.clock.now()
        async with self.transaction:
            await self.follows.add(requester, followed, at=now)
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=followed,
                    type=NotificationType.FOLLOW,
                    reason=f"follow:{requester}",
                    target_type="user",
                    target_id=followed,
                    at=now,
                    actor=requester,
                )
            )
            return Followed(following=True, follower_count=await self.follows.count(followed))
