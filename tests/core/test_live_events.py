from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta

import pytest

from core.accounts.model import Session, User
from core.accounts.sign_in import token_hash
from core.accounts.sign_out import SignOut
from core.generations.errors import GenerationNotFound
from core.generations.fail_generation import FailGeneration
from core.generations.record_progress import RecordProgress
from core.generations.views import GenerationView
from core.generations.watch_generation import WatchGeneration
from core.identifiers import NotificationId
from core.live_events import StreamEvent, StreamEvents, StreamTiming, Watch, Watcher
from core.notifications.model import Notification, NotificationType
from core.notifications.views import NotificationItem
from core.notifications.watch_notifications import COMMIT_DELAY, LATEST, WatchNotifications
from core.ports.changes import Changes, Subscription, Topic
from core.requester import Requester, Role
from core.styles.watch_training import WatchTraining
from core.tasks.outcome import Failure
from tests.support.memory_world import MemoryWorld

RESTLESS = StreamTiming(timedelta(0))
TOKEN = "a token"


async def signed_in(world: MemoryWorld, user: User) -> Watcher:
    now = world.clock.now()
    session = Session.start(await world.ids.session(), token_hash(TOKEN), user.id, at=now, user_agent="a test")
    async with world.block() as ports:
        await ports.sessions.add(session)
    return Watcher(Requester(user.id, Role.USER, is_artist=False), session.token_hash)


def images(world: MemoryWorld) -> WatchGeneration:
    return world.use_case(WatchGeneration, generations=world.read.generations)


def notices(world: MemoryWorld) -> WatchNotifications:
    return world.use_case(WatchNotifications, notifications=world.read.notifications)


async def event(events: StreamEvents) -> StreamEvent:
    """The next one, whatever shows only that the stream is alive."""
    async for event in events:
        if event is not None:
            return event
    raise AssertionError("the stream has ended")


async def test_a_heartbeat_reads_the_queue_place(world: MemoryWorld) -> None:
    world.pace = RESTLESS
    style = await world.style(await world.artist())
    ann = await world.user("ann", tokens=100)
    first = await world.generation(await world.user("bob", tokens=100), style)
    world.clock.advance()
    image = await world.generation(ann, style)
    async with aclosing(images(world)(await signed_in(world, ann), image.id)) as events:
        sent = await event(events)
        assert await anext(events) is None
        await world.use_case(FailGeneration)(first.id, Failure("GENERATION_ERROR", "No."), retry_count=None)
        moved = await event(events)
    assert [sent.name, moved.name] == ["status", "progress"]
    assert [place(sent), place(moved)] == [2, 1]


def place(event: StreamEvent) -> int | None:
    assert isinstance(event.data, GenerationView)
    return event.data.queue.position if event.data.queue else None


class Waits(Changes, Subscription):
    """Reports no change; records how long watchers would wait."""

    def __init__(self) -> None:
        self.within: list[timedelta] = []

    @contextmanager
    def subscribe(self, *_topics: Topic) -> Iterator[Subscription]:
        yield self

    async def changed(self, *, within: timedelta) -> frozenset[Topic]:
        self.within.append(within)
        return frozenset()


async def test_heartbeats_are_spread(world: MemoryWorld) -> None:
    """Otherwise streams that were woken together would send heartbeats together."""
    waits, chances = Waits(), iter([0.0, 0.5, 0.999])
    pace = StreamTiming(timedelta(seconds=16), chance=lambda: next(chances))
    watch = Watch(waits, world.scope().sessions, world.clock, pace)
    async with aclosing(watch(Topic("a topic"), None)) as looks:
        for _ in range(4):
            await anext(looks)
    assert [round(within.total_seconds()) for within in waits.within] == [16, 12, 8]


async def test_a_new_attempt_is_a_new_status_event(world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    ann = await world.user("ann", tokens=100)
    image = await world.generation(ann, style)
    async with aclosing(images(world)(await signed_in(world, ann), image.id)) as events:
        names = [(await event(events)).name]
        for step in (1, 2):
            await world.use_case(RecordProgress)(
                image.id, current_step=step, total_steps=50, progress_percent=2.0, estimated_seconds=None
            )
            names.append((await event(events)).name)
        await world.use_case(FailGeneration)(image.id, Failure("GPU_OOM", "No."), retry_count=None)
        names.append((await event(events)).name)
    assert names == ["status", "status", "progress", "status"]


async def test_an_invisible_resource_is_refused_at_the_first_step(world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    image = await world.generation(await world.user("ann", tokens=100), style)
    bob = await signed_in(world, await world.user("bob"))
    for watcher in (bob, None):
        async with aclosing(images(world)(watcher, image.id)) as events:
            with pytest.raises(GenerationNotFound):
                await anext(events)
    assert world.database.changes.watched == set()


async def test_without_a_session_a_finished_training_is_sent_once(world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    watch = world.use_case(WatchTraining, styles=world.read.styles)
    assert [sent and sent.name async for sent in watch(None, style.id)] == ["status"]
    assert world.database.changes.watched == set()


async def test_the_session_is_not_looked_up_for_each_event(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await world.user("ann")
    watcher = await signed_in(world, ann)
    watch = notices(world)
    lookups = []
    original = type(watch.watch.sessions).requester

    async def counted(*args: object, **options: object) -> object:
        lookups.append(args)
        return await original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(watch.watch.sessions), "requester", counted)
    async with aclosing(watch(watcher)) as events:
        assert await anext(events) is None
        for number in range(3):
            await notify(world, ann, number)
            assert (await event(events)).name == "notification"
        assert lookups == []
        await world.use_case(SignOut)(TOKEN)
        assert [sent async for sent in events] == []
        assert len(lookups) == 1


async def test_a_late_commit_is_sent_after_the_others(world: MemoryWorld) -> None:
    """It is older than one that was sent already."""
    ann = await world.user("ann")
    early = world.clock.now()
    world.clock.advance(timedelta(seconds=1))
    async with aclosing(notices(world)(await signed_in(world, ann))) as events:
        await anext(events)
        one = await notify(world, ann, 1)
        assert about(await event(events)) == one.id
        late = await notify(world, ann, 2, at=early)
        assert about(await event(events)) == late.id


async def test_a_late_commit_is_sent_after_a_reconnect(world: MemoryWorld) -> None:
    """Once, and not to who knows it; nothing that is much older can be one of those."""
    ann = await world.user("ann")
    watcher, watch = await signed_in(world, ann), notices(world)
    ages_ago = world.clock.now()
    early = world.clock.advance(COMMIT_DELAY)
    async with aclosing(watch(watcher)) as events:
        ones = [await notify(world, ann, number) for number in (1, 2)]
        sent = [await event(events) for _ in ones]
    late, late_and_read = [await notify(world, ann, number, at=early) for number in (3, 4)]
    await notify(world, ann, 5, at=ages_ago)
    async with world.block() as ports:
        await ports.notifications.mark_read(ann.id, late_and_read.id, at=world.clock.now())

    async with aclosing(watch(watcher, known=sent[-1].id)) as events:
        missed = await event(events)
        assert about(missed) == late.id
    async with aclosing(watch(watcher, known=missed.id)) as events:
        assert await anext(events) is None
    async with aclosing(watch(watcher, known=sent[0].id)) as events:
        assert [about(await event(events)) for _ in range(2)] == [late.id, ones[1].id]


async def test_event_ids_have_a_bounded_length(world: MemoryWorld) -> None:
    """However long a stream lasts: it is sent back with each request."""
    ann = await world.user("ann")
    async with aclosing(notices(world)(await signed_in(world, ann))) as events:
        ids = []
        for number in range(LATEST + 5):
            await notify(world, ann, number, at=world.clock.now())
            ids.append((await event(events)).id)
        assert [len(id.split(".")) for id in ids[-6:]] == [LATEST] * 6
        world.clock.advance(COMMIT_DELAY)
        last = await notify(world, ann, 999)
        assert (await event(events)).id == str(last.id)


async def test_old_notifications_that_enter_the_page_are_not_sent(world: MemoryWorld) -> None:
    """The look takes in so many; when newer ones go, older ones come into its sight."""
    ann = await world.user("ann")
    kept = [await notify(world, ann, number) for number in range(LATEST + 5)]
    known = ".".join(str(one.id) for one in kept)
    async with aclosing(notices(world)(await signed_in(world, ann), known=known)) as events:
        assert await anext(events) is None
        for gone in kept[-3:]:
            del world.database.committed.notifications[gone.id]
        new = await notify(world, ann, 999)
        assert about(await event(events)) == new.id
        await notify(world, ann, 1000)
        assert isinstance((await event(events)).data, NotificationItem)


async def test_without_a_last_id_the_unread_notifications_are_sent(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    read, *unread = [await notify(world, ann, number) for number in range(3)]
    async with world.block() as ports:
        await ports.notifications.mark_read(ann.id, read.id, at=world.clock.now())
    async with aclosing(notices(world)(await signed_in(world, ann))) as events:
        assert [about(await event(events)) for _ in unread] == [one.id for one in unread]


def about(sent: StreamEvent) -> NotificationId:
    assert isinstance(sent.data, NotificationItem)
    return sent.data.id


async def notify(world: MemoryWorld, user: User, number: int, *, at: datetime | None = None) -> Notification:
    at = at or world.clock.advance()
    notification = Notification(
        await world.ids.notification(), user.id, NotificationType.FOLLOW, f"a reason {number}", "user", user.id, at
    )
    async with world.block() as ports:
        await ports.notifier.notify(notification)
    return notification
