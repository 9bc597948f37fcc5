from typing import Any

import pytest

from core.accounts.model import User
from core.derivatives import only_original, public_urls
from core.identifiers import NotificationId
from core.notifications.errors import NotificationNotFound
from core.notifications.model import Notification, NotificationType
from core.notifications.views import Actor, NotificationItem, Target
from core.paging import PageRequest
from tests.contracts.overlap import Block, Work, commit, race, sending
from tests.support.derivatives import signed_urls
from tests.support.scope import Scope
from tests.support.world import World

# --- notifying --------------------------------------------------------------------------------------------------------


async def test_a_notification_is_listed_for_its_recipient(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    notification = await new(
        world,
        ann,
        type=NotificationType.FOLLOW,
        target_type="user",
        target_id=ann.id,
        actor=bob.id,
        metadata={"words": ["하나", 2, None, {"deep": True}]},
    )
    await commit(world, notifying(notification))

    page, unread = await world.read.notifications.list(ann.id, unread_only=False, page=PageRequest())

    assert unread == 1
    assert page.next is None
    assert page.rows == [
        NotificationItem(
            id=notification.id,
            type="follow",
            actor=Actor(bob.id, "bob", None, None),
            target_type="user",
            target_id=ann.id,
            target=Target(ann.id, "ann", None),
            metadata={"words": ["하나", 2, None, {"deep": True}]},
            is_read=False,
            created_at=notification.at,
        )
    ]
    assert await shown(world, bob) == []


async def test_one_cause_notifies_once(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    first = await new(world, ann, reason="like:1")
    await commit(world, notifying(first))

    await commit(world, notifying(await new(world, ann, reason="like:1")))
    await commit(world, notifying(await new(world, bob, reason="like:1")))
    await commit(world, notifying(await new(world, ann, reason="like:2")))

    assert first.id in await shown(world, ann)
    assert len(await shown(world, ann)) == 2
    assert len(await shown(world, bob)) == 1


async def test_one_cause_notifies_once_within_a_block(world: World) -> None:
    ann = await world.user("ann")
    twins = [await new(world, ann, reason="like:1") for _ in range(2)]

    async def work(ports: Scope) -> None:
        for twin in twins:
            await ports.notifier.notify(twin)
        await ports.users.save(ann.edit(at=world.clock.now(), username="anna", bio="", profile_image=None))

    await commit(world, work)

    assert await shown(world, ann) == [twins[0].id]
    assert (await world.read.accounts.me(ann.id)).username == "anna"


async def test_one_of_two_concurrent_notifications_of_a_cause_is_dropped(world: World, sent: bool) -> None:
    ann, bob, eve = [await world.user(name) for name in ("ann", "bob", "eve")]
    twins = [await new(world, ann, reason="like:1") for _ in range(2)]

    def notify(twin: Notification, actor: User) -> Work:
        edited = actor.edit(at=world.clock.now(), username=actor.username, bio="notified", profile_image=None)

        async def work(ports: Scope) -> None:
            await ports.notifier.notify(twin)
            await ports.users.save(edited)

        return work

    ended = await race(world, notify(twins[0], bob), notify(twins[1], eve), sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert await shown(world, ann) == [twins[0].id]
    for actor in (bob, eve):
        assert (await world.read.accounts.profile(actor.id, viewer=None)).bio == "notified"


async def test_a_rollback_notifies_nobody(world: World) -> None:
    ann = await world.user("ann")
    block = await Block(world, notifying(await new(world, ann, reason="like:1"))).open()
    assert await shown(world, ann) == []

    await block.roll_back()

    assert await shown(world, ann) == []
    await commit(world, notifying(await new(world, ann, reason="like:1")))
    assert len(await shown(world, ann)) == 1


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_read_notification_is_not_unread(world: World) -> None:
    ann = await world.user("ann")
    one, other = [await notified(world, ann) for _ in range(2)]

    for _ in range(2):  # again is no error
        await commit(world, reading(ann, one.id, world))

    page, unread = await world.read.notifications.list(ann.id, unread_only=False, page=PageRequest())
    assert {item.id: item.is_read for item in page.rows} == {one.id: True, other.id: False}
    assert unread == 1
    assert await shown(world, ann, unread_only=True) == [other.id]


async def test_another_users_notification_cannot_be_marked_as_read(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    notification = await notified(world, ann)

    for wrong in (reading(bob, notification.id, world), reading(ann, await world.ids.notification(), world)):
        with pytest.raises(NotificationNotFound):
            await commit(world, wrong)

    assert await shown(world, ann, unread_only=True) == [notification.id]


async def test_all_notifications_are_marked_as_read(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    first = await notified(world, ann)
    await notified(world, ann)
    await notified(world, ann)
    others = await notified(world, bob)
    await commit(world, reading(ann, first.id, world))

    assert await commit(world, lambda ports: ports.notifications.mark_all_read(ann.id, at=world.clock.now())) == 2
    assert await commit(world, lambda ports: ports.notifications.mark_all_read(ann.id, at=world.clock.now())) == 0

    assert await shown(world, ann, unread_only=True) == []
    assert len(await shown(world, ann)) == 3
    assert await shown(world, bob, unread_only=True) == [others.id]


async def test_concurrent_mark_all_as_read_count_each_once(world: World) -> None:
    ann = await world.user("ann")
    await notified(world, ann)

    def mark(ports: Scope) -> Any:
        return ports.notifications.mark_all_read(ann.id, at=world.clock.now())

    first = await Block(world, mark).open()
    second = await Block(world, mark).waits()

    assert await first.commit() == 1
    assert await second.commit() == 0


async def test_marking_one_races_with_marking_all(world: World) -> None:
    ann = await world.user("ann")
    one, _ = [await notified(world, ann) for _ in range(2)]

    first = await Block(world, sending(reading(ann, one.id, world))).open()
    second = await Block(world, lambda ports: ports.notifications.mark_all_read(ann.id, at=world.clock.now())).waits()
    await first.commit()

    assert await second.commit() == 1


async def test_marking_as_read_rolls_back_with_its_block(world: World) -> None:
    ann = await world.user("ann")
    notification = await notified(world, ann)

    block = await Block(world, lambda ports: ports.notifications.mark_all_read(ann.id, at=world.clock.now())).open()
    assert await shown(world, ann, unread_only=True) == [notification.id]
    await block.roll_back()
    assert await shown(world, ann, unread_only=True) == [notification.id]

    block = await Block(world, reading(ann, notification.id, world)).open()
    await block.roll_back()
    assert await shown(world, ann, unread_only=True) == [notification.id]


# --- as people see it -------------------------------------------------------------------------------------------------


async def test_a_target_is_shown_in_its_present_state(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=300)
    style = await world.style(mia)
    hidden = await world.style(mia, "Hidden", show_samples=False)
    private = await world.image(ann, style)
    public = await world.image(ann, style, public=True)
    failed = await world.failed_generation(ann, style)
    nothing = await world.ids.style()

    async def target(user: User, type: str, id: int) -> Target | None:
        notification = await notified(world, user, target_type=type, target_id=id)
        page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
        return next(item for item in page.rows if item.id == notification.id).target

    thumbnail = await signed_urls(f"samples/{style.id}/image_0.jpg", world.blobs)
    result = await world.blobs.signed_url(f"generations/gen-{private.id}.png")
    published = public_urls(f"public/generations/{public.id}/image.png", world.blobs)
    shown = Target(public.id, "Ink", published.original, published.original, published)
    assert await target(mia, "style", style.id) == Target(style.id, "Ink", thumbnail.original, images=thumbnail)
    assert await target(mia, "style", hidden.id) == Target(hidden.id, "Hidden", None)
    assert await target(ann, "generation", private.id) == Target(
        private.id, "Ink", result, result, only_original(result)
    )
    assert await target(mia, "generation", private.id) == Target(private.id, "Ink", None)
    assert await target(ann, "generation", public.id) == shown
    assert await target(mia, "generation", public.id) == shown
    assert await target(ann, "generation", failed.id) == Target(failed.id, "Ink", None)
    assert await target(ann, "user", mia.id) == Target(mia.id, "mia", None)
    assert await target(ann, "style", nothing) is None
    assert await target(ann, "generation", nothing + 1000) is None
    assert await target(ann, "user", nothing + 1000) is None


async def test_notifications_show_images_of_actors_and_targets(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    picture = bob.edit(at=world.clock.now(), username="bob", bio="", profile_image="public/profiles/2/face.png")
    await commit(world, lambda ports: ports.users.save(picture))
    await notified(world, ann, target_type="user", target_id=bob.id, actor=bob.id)

    page, _ = await world.read.notifications.list(ann.id, unread_only=False, page=PageRequest())

    images = public_urls("public/profiles/2/face.png", world.blobs)
    assert page.rows[0].actor == Actor(bob.id, "bob", images.original, images)
    assert page.rows[0].target == Target(bob.id, "bob", images.original, images=images)


@pytest.mark.parametrize("unread_only", [False, True])
async def test_every_page_has_the_total_unread_count(world: World, unread_only: bool) -> None:
    ann = await world.user("ann")
    first, _, _ = [await notified(world, ann) for _ in range(3)]
    await commit(world, reading(ann, first.id, world))

    page = PageRequest(1)
    for _ in range(2):
        found, unread = await world.read.notifications.list(ann.id, unread_only=unread_only, page=page)
        assert (len(found.rows), unread) == (1, 2)
        page = PageRequest(1, found.next)


async def new(world: World, recipient: User, **changes: Any) -> Notification:
    fields: dict[str, Any] = {
        "type": NotificationType.GENERATION_COMPLETE,
        "reason": f"reason:{world.ids.task()}",
        "target_type": "user",
        "target_id": recipient.id,
        "at": world.clock.now(),
    }
    return Notification(id=await world.ids.notification(), recipient=recipient.id, **(fields | changes))


async def notified(world: World, recipient: User, **changes: Any) -> Notification:
    notification = await new(world, recipient, **changes)
    await commit(world, notifying(notification))
    return notification


def notifying(notification: Notification) -> Work:
    return lambda ports: ports.notifier.notify(notification)


def reading(recipient: User, notification_id: NotificationId, world: World) -> Work:
    return lambda ports: ports.notifications.mark_read(recipient.id, notification_id, at=world.clock.now())


async def shown(world: World, recipient: User, *, unread_only: bool = False) -> list[NotificationId]:
    page, _ = await world.read.notifications.list(recipient.id, unread_only=unread_only, page=PageRequest())
    return [item.id for item in page.rows]
