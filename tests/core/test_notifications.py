import pytest

from core.identifiers import UserId
from core.notifications.errors import NotificationNotFound
from core.notifications.mark_all_read import MarkAllRead
from core.notifications.mark_read import MarkRead
from core.notifications.model import Notification, NotificationType
from tests.support.world import MemoryWorld


async def test_one_is_marked_read_at_the_first_moment(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    notification = await told(world, ann.id, "1")
    first = world.clock.advance()
    await world.use_case(MarkRead)(ann.id, notification.id)
    world.clock.advance()
    await world.use_case(MarkRead)(ann.id, notification.id)

    assert world.database.tables.notifications[notification.id].read_at == first


async def test_anothers_is_not_there(world: MemoryWorld) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    notification = await told(world, ann.id, "1")

    with pytest.raises(NotificationNotFound):
        await world.use_case(MarkRead)(bob.id, notification.id)

    assert world.database.tables.notifications[notification.id].read_at is None


async def test_all_are_marked_read_and_counted(world: MemoryWorld) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    first = await told(world, ann.id, "1")
    second = await told(world, ann.id, "2")
    others = await told(world, bob.id, "1")
    await world.use_case(MarkRead)(ann.id, first.id)
    then = world.clock.now()
    now = world.clock.advance()

    assert await world.use_case(MarkAllRead)(ann.id) == 1
    assert await world.use_case(MarkAllRead)(ann.id) == 0

    kept = world.database.tables.notifications
    assert [kept[one.id].read_at for one in (first, second, others)] == [then, now, None]


async def told(world: MemoryWorld, recipient: UserId, reason: str) -> Notification:
    notification = Notification(
        await world.ids.notification(),
        recipient,
        NotificationType.LIKE,
        reason,
        "user",
        recipient,
        world.clock.now(),
    )
    async with world.block() as scope:
        await scope.notifier.notify(notification)
    return notification
