"""Subscribers are notified of committed changes and of nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from core.accounts.model import Session
from core.accounts.sign_in import token_hash
from core.generations.model import GenerationProgress
from core.notifications.model import Notification, NotificationType
from core.ports import changes
from core.ports.changes import Subscription, Topic
from core.styles.version import TrainingProgress
from tests.contracts.overlap import Block, Work, commit
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World

WITHIN = timedelta(seconds=TIME_LIMIT)
TOKEN = bytes(32)


@pytest.fixture(autouse=True)
async def _listening(world: World) -> None:
    await world.wait_until_listening()


async def an_image(world: World) -> tuple[Topic, Work]:
    style = await world.style(await world.artist())
    image = await world.generation(await world.user(tokens=100), style)

    async def save(ports: Scope) -> None:
        await ports.generations.save(image.cancel(at=world.clock.now()))
        await ports.ledger.void(image.hold_id, at=world.clock.now())

    return changes.generation(image.id), save


async def a_style(world: World) -> tuple[Topic, Work]:
    style = await world.untrained_style(await world.artist())

    async def save(ports: Scope) -> None:
        await ports.styles.save(style.close(at=world.clock.now()))

    return changes.style(style.id), save


async def a_style_that_goes(world: World) -> tuple[Topic, Work]:
    style = await world.untrained_style(await world.artist())

    async def remove(ports: Scope) -> None:
        await ports.styles.remove(style.id)

    return changes.style(style.id), remove


async def a_notification(world: World) -> tuple[Topic, Work]:
    ann = await world.user("ann")
    notification = Notification(
        await world.ids.notification(), ann.id, NotificationType.FOLLOW, "a reason", "user", ann.id, world.clock.now()
    )

    async def publish_one(ports: Scope) -> None:
        await ports.notifier.notify(notification)

    return changes.notifications(ann.id), publish_one


async def a_session(world: World) -> tuple[Topic, Work]:
    now = world.clock.now()
    ann = await world.user("ann")
    async with world.block() as ports:
        await ports.sessions.add(Session.start(await world.ids.session(), TOKEN, ann.id, at=now, user_agent="a test"))

    async def end(ports: Scope) -> None:
        await ports.sessions.end(TOKEN)

    return changes.session(TOKEN), end


async def all_sessions(world: World) -> tuple[Topic, Work]:
    topic, _ = await a_session(world)

    async def end(ports: Scope) -> None:
        await ports.sessions.end_all(await world.read.accounts.find("ann"))

    return topic, end


Change = Callable[[World], Awaitable[tuple[Topic, Work]]]
every_change = pytest.mark.parametrize(
    "change", [an_image, a_style, a_style_that_goes, a_notification, a_session, all_sessions]
)


class Last:
    """Another change: when it is notified, earlier changes have been notified."""

    async def prepare(self, world: World) -> None:
        self._world = world
        self._tells = await world.user("last")
        self.topic = changes.notifications(self._tells.id)

    async def happens(self) -> None:
        notification = Notification(
            await self._world.ids.notification(),
            self._tells.id,
            NotificationType.FOLLOW,
            self._world.ids.task(),
            "user",
            self._tells.id,
            self._world.clock.now(),
        )
        async with self._world.block() as ports:
            await ports.notifier.notify(notification)

    async def alone(self, subscription: Subscription) -> bool:
        """Whether nothing else is notified before it."""
        await self.happens()
        return await subscription.changed(within=WITHIN) == {self.topic}


@pytest.fixture
async def last(world: World) -> Last:
    last = Last()
    await last.prepare(world)
    return last


@every_change
async def test_a_subscriber_is_notified_after_the_commit(world: World, change: Change, last: Last) -> None:
    topic, work = await change(world)
    with world.changes.subscribe(topic, last.topic) as subscription:
        block = await Block(world, work).open()
        assert await last.alone(subscription)

        assert await block.commit() is None

        assert await subscription.changed(within=WITHIN) == {topic}
        assert await last.alone(subscription)


@every_change
async def test_nothing_is_published_after_a_rollback(world: World, change: Change, last: Last) -> None:
    topic, work = await change(world)
    with world.changes.subscribe(topic, last.topic) as subscription:
        await (await Block(world, work).open()).roll_back()

        assert await last.alone(subscription)


async def test_revoking_a_users_sessions_notifies_each_of_them(world: World, last: Last) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    now, topics = world.clock.now(), []
    async with world.block() as ports:
        for token, user in (("one", ann), ("two", ann), ("three", bob)):
            session = Session.start(await world.ids.session(), token_hash(token), user.id, at=now, user_agent="a test")
            await ports.sessions.add(session)
            topics.append(changes.session(session.token_hash))
    with world.changes.subscribe(*topics, last.topic) as subscription:
        block = await Block(world, lambda ports: ports.personal_data.revoke_access(ann.id)).open()
        assert await last.alone(subscription)

        assert await block.commit() is None

        reported = set(await subscription.changed(within=WITHIN))
        while reported != set(topics[:2]):
            assert reported < set(topics[:2])
            reported |= await subscription.changed(within=WITHIN)
        assert await last.alone(subscription)


async def test_only_forward_progress_of_a_generation_is_published(world: World, last: Last) -> None:
    style = await world.style(await world.artist())
    image = await world.generation(await world.user(tokens=100), style)
    progress = GenerationProgress(5, 50, 10.0, None, world.clock.now())
    with world.changes.subscribe(changes.generation(image.id), last.topic) as subscription:
        assert (await world.scope().generations.advance(image.id, progress)).applied
        assert await subscription.changed(within=WITHIN) == {changes.generation(image.id)}

        assert not (await world.scope().generations.advance(image.id, progress)).applied
        assert await last.alone(subscription)


async def test_only_forward_progress_of_a_training_is_published(world: World, last: Last) -> None:
    style = await world.untrained_style(await world.artist())
    progress = TrainingProgress(5, 50, 10.0, None, world.clock.now())
    with world.changes.subscribe(changes.style(style.id), last.topic) as subscription:
        assert (await world.scope().versions.advance(style.version_id, progress)).applied
        assert await subscription.changed(within=WITHIN) == {changes.style(style.id)}

        assert not (await world.scope().versions.advance(style.version_id, progress)).applied
        assert await last.alone(subscription)


async def test_only_subscribers_of_the_topic_are_notified(world: World, last: Last) -> None:
    topic, work = await a_notification(world)
    another = changes.notifications((await world.user("eve")).id)
    with (
        world.changes.subscribe(topic) as one,
        world.changes.subscribe(topic, last.topic) as other,
        world.changes.subscribe(another, last.topic) as stranger,
    ):
        await commit(world, work)

        assert await one.changed(within=WITHIN) == {topic}
        assert await other.changed(within=WITHIN) == {topic}
        assert await last.alone(stranger)


async def test_a_change_between_two_waits_ends_the_second_wait(world: World, last: Last) -> None:
    topic, work = await a_notification(world)
    with world.changes.subscribe(topic, last.topic) as subscription, world.changes.subscribe(last.topic) as witness:
        await commit(world, work)
        await last.happens()
        await witness.changed(within=WITHIN)

        assert await subscription.changed(within=WITHIN) == {topic, last.topic}
        assert await last.alone(subscription)


async def test_waiting_without_a_change_times_out(world: World) -> None:
    with world.changes.subscribe(Topic("nothing")) as subscription:
        assert await subscription.changed(within=timedelta(0)) == frozenset()


async def test_a_cancelled_wait_loses_no_change(world: World, last: Last) -> None:
    with world.changes.subscribe(last.topic) as subscription:
        waiting = asyncio.create_task(subscription.changed(within=WITHIN))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        assert await last.alone(subscription)
