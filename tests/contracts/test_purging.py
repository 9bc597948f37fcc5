"""Expired rows are removed: no others, in limited batches, also by concurrent passes."""

import asyncio
from datetime import timedelta

from core.accounts.model import SESSION_LIFETIME, Session, User
from core.accounts.purge_expired_sessions import PurgeExpiredSessions
from core.identifiers import NotificationId
from core.notifications.mark_read import MarkRead
from core.notifications.model import KEPT_READ, Notification, NotificationType
from core.notifications.purge_read_notifications import PurgeReadNotifications
from core.paging import PageRequest
from tests.contracts.overlap import commit
from tests.support.world import World

MOMENT = timedelta(microseconds=1)


async def sign_in(world: World, user: User, token_hash: bytes) -> None:
    now = world.clock.now()
    session = Session.start(await world.ids.session(), token_hash, user.id, at=now, user_agent="a test")
    await commit(world, lambda ports: ports.sessions.add(session))


async def add_notification(world: World, user: User, reason: str) -> NotificationId:
    notification = Notification(
        id=await world.ids.notification(),
        recipient=user.id,
        type=NotificationType.GENERATION_COMPLETE,
        reason=reason,
        target_type="generation",
        target_id=1,
        at=world.clock.now(),
    )
    await commit(world, lambda ports: ports.notifier.notify(notification))
    return notification.id


async def shown(world: World, user: User) -> list[NotificationId]:
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    return [notification.id for notification in page.rows]


async def test_an_expired_session_is_removed(world: World) -> None:
    ann = await world.user("ann")
    await sign_in(world, ann, b"1" * 32)
    world.clock.advance()
    await sign_in(world, ann, b"2" * 32)
    world.clock.advance(SESSION_LIFETIME - timedelta(seconds=1) - MOMENT)
    assert await world.use_case(PurgeExpiredSessions)() == 0

    world.clock.advance(MOMENT)
    assert await world.use_case(PurgeExpiredSessions)() == 1

    sessions, began = world.scope().sessions, world.clock.now() - SESSION_LIFETIME
    assert await sessions.requester(b"1" * 32, at=began) is None
    assert await sessions.requester(b"2" * 32, at=began) is not None


async def test_only_old_read_notifications_are_removed(world: World) -> None:
    ann = await world.user("ann")
    old, unread, fresh = [await add_notification(world, ann, reason) for reason in ("old", "unread", "fresh")]
    await world.use_case(MarkRead)(ann.id, old)
    world.clock.advance()
    await world.use_case(MarkRead)(ann.id, fresh)
    world.clock.advance(KEPT_READ - timedelta(seconds=1) - MOMENT)
    assert await world.use_case(PurgeReadNotifications)() == 0

    world.clock.advance(MOMENT)
    assert await world.use_case(PurgeReadNotifications)() == 1

    assert set(await shown(world, ann)) == {unread, fresh}


async def test_a_removed_notification_can_be_sent_again(world: World) -> None:
    ann = await world.user("ann")
    await world.use_case(MarkRead)(ann.id, await add_notification(world, ann, "like:1"))
    world.clock.advance(KEPT_READ)
    await world.use_case(PurgeReadNotifications)()

    again = await add_notification(world, ann, "like:1")

    assert await shown(world, ann) == [again]


async def test_purging_respects_the_limit(world: World) -> None:
    ann = await world.user("ann")
    for number in range(5):
        await sign_in(world, ann, bytes([number]) * 32)
        await world.use_case(MarkRead)(ann.id, await add_notification(world, ann, f"reason {number}"))
    world.clock.advance(KEPT_READ + SESSION_LIFETIME)

    assert [await world.use_case(PurgeExpiredSessions)(limit=3) for _ in range(3)] == [3, 2, 0]
    assert [await world.use_case(PurgeReadNotifications)(limit=3) for _ in range(3)] == [3, 2, 0]


async def test_concurrent_passes_remove_each_row_once(world: World) -> None:
    ann = await world.user("ann")
    for number in range(20):
        await sign_in(world, ann, bytes([number]) * 32)
        await world.use_case(MarkRead)(ann.id, await add_notification(world, ann, f"reason {number}"))
    world.clock.advance(KEPT_READ + SESSION_LIFETIME)

    sessions = await asyncio.gather(*(world.use_case(PurgeExpiredSessions)(limit=7) for _ in range(6)))
    notifications = await asyncio.gather(*(world.use_case(PurgeReadNotifications)(limit=7) for _ in range(6)))
    sessions.append(await world.use_case(PurgeExpiredSessions)())
    notifications.append(await world.use_case(PurgeReadNotifications)())

    assert (sum(sessions), sum(notifications)) == (20, 20)
    assert await shown(world, ann) == []
