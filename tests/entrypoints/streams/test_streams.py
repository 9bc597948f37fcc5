"""Event streams of generations, trainings and notifications."""

from datetime import timedelta

import pytest

from core.accounts.model import User
from core.community.follow_user import FollowUser
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.model import Generation
from core.ports.changes import Topic
from core.styles.complete_training import CompleteTraining
from core.styles.delete_style import DeleteStyle
from core.styles.record_training_progress import RecordTrainingProgress
from tests.entrypoints.service import Service
from tests.entrypoints.stream_client import streaming
from tests.entrypoints.streams.steps import polled, progress
from tests.support.memory_world import MemoryWorld


async def complete(world: MemoryWorld, image: Generation) -> None:
    await world.use_case(CompleteGeneration)(image.id, result_url=world.blobs.uri("generations/1.png"), metadata={})


# --- an image ---------------------------------------------------------------------------------------------------------


async def test_a_generation_is_streamed_until_it_completes(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    path = f"/api/generations/{image.id}"
    async with streaming(service.app, f"{path}/events", session=session) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert "no-cache" in stream.headers["cache-control"]
        assert stream.headers["x-accel-buffering"] == "no"
        assert "content-length" not in stream.headers
        events = [await stream.event()]
        assert events[-1].data == await polled(service, session, path)

        for step in (1, 2):
            await progress(world, image, step)
            events.append(await stream.event())
            assert events[-1].data == await polled(service, session, path)
        await complete(world, image)
        events.append(await stream.event())
        await stream.end()

        assert events[-1].data == await polled(service, session, path)
        assert [(event.name, event.data["status"]) for event in events] == [
            ("status", "queued"),
            ("status", "processing"),
            ("progress", "processing"),
            ("status", "completed"),
        ]
        assert events[2].data["progress"]["current_step"] == 2
        assert repr(events[2].data["progress"]["progress_percent"]) == "4"
        assert len({event.id for event in events}) == 4


async def test_an_ended_resource_is_sent_once(
    service: Service, world: MemoryWorld, session: str, ann: User, image: Generation
) -> None:
    """A browser comes back when a stream ends; 204 keeps it from coming again and again."""
    await world.use_case(CancelGeneration)(ann.id, image.id)
    path = f"/api/generations/{image.id}/events"
    async with streaming(service.app, path, session=session) as stream:
        sent = await stream.event()
        await stream.end()
        assert sent.data["status"] == "cancelled"
    async with streaming(service.app, path, session=session, last=sent.id) as stream:
        await stream.end()
        assert (stream.status, stream.unread) == (204, 0)


async def test_a_completed_private_generation_is_sent_once_despite_new_signed_urls(
    service: Service, world: MemoryWorld, session: str, ann: User
) -> None:
    image = await world.image(ann, await world.style(await world.artist()))
    path = f"/api/generations/{image.id}/events"
    async with streaming(service.app, path, session=session) as stream:
        sent = await stream.event()
    world.clock.advance(timedelta(hours=1))
    assert (await polled(service, session, path.removesuffix("/events")))["result_url"] != sent.data["result_url"]
    async with streaming(service.app, path, session=session, last=sent.id) as stream:
        assert stream.status == 204


async def test_after_a_reconnect_only_unknown_states_are_sent(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    path = f"/api/generations/{image.id}/events"
    async with streaming(service.app, path, session=session) as stream:
        sent = await stream.event()
    async with streaming(service.app, path, session=session, last=sent.id) as stream:
        assert await stream.event_or_comment() is None
        await progress(world, image, 1)
        assert (await stream.event()).data["status"] == "processing"
    async with streaming(service.app, path, session=session, last=sent.id) as stream:
        assert (await stream.event()).data["status"] == "processing"


async def test_invisible_changes_are_not_sent(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        await stream.event()
        world.database.changes.notify(Topic(f"generation:{image.id}"))
        assert await stream.event_or_comment() is None


async def test_a_stream_of_another_users_generation_requires_a_public_one(
    service: Service, world: MemoryWorld, session: str
) -> None:
    mia = await world.artist("zoe", tokens=100)
    style = await world.style(mia)
    public, private = await world.image(mia, style, public=True), await world.image(mia, style)
    for who in (None, session):
        async with streaming(service.app, f"/api/generations/{public.id}/events", session=who) as stream:
            assert (await stream.event()).data["id"] == public.id
            await stream.end()
        async with streaming(service.app, f"/api/generations/{private.id}/events", session=who) as stream:
            assert stream.status == 404
            assert (await stream.body())["error"]["code"] == "GENERATION_NOT_FOUND"


# --- a style ----------------------------------------------------------------------------------------------------------


async def test_a_training_is_streamed_until_it_ends(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.untrained_style(mia)
    session = await service.session_of(mia)
    path = f"/api/styles/{style.id}"
    async with streaming(service.app, f"{path}/events", session=session) as stream:
        events = [await stream.event()]
        for epoch in (1, 2):
            await world.use_case(RecordTrainingProgress)(
                style.version_id, current_epoch=epoch, total_epochs=200, progress_percent=1.0, estimated_seconds=600
            )
            events.append(await stream.event())
            assert events[-1].data == await polled(service, session, path)
        await world.use_case(CompleteTraining)(style.version_id, model_path="gs://models/1", metric=None)
        events.append(await stream.event())
        await stream.end()
        assert events[-1].data == await polled(service, session, path)
    assert repr(events[2].data["progress"]["progress_percent"]) == "1"
    assert [(event.name, event.data["training_status"]) for event in events] == [
        ("status", "pending"),
        ("status", "training"),
        ("progress", "training"),
        ("status", "completed"),
    ]
    async with streaming(service.app, f"{path}/events", session=session, last=events[-1].id) as stream:
        assert stream.status == 204


async def test_the_stream_of_a_style_that_is_deleted_ends(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.untrained_style(mia)
    async with streaming(
        service.app, f"/api/styles/{style.id}/events", session=await service.session_of(mia)
    ) as stream:
        await stream.event()
        await world.use_case(DeleteStyle)(mia.id, style.id)
        await stream.end()


async def test_an_unfinished_style_is_not_found_by_others(service: Service, world: MemoryWorld, session: str) -> None:
    style = await world.untrained_style(await world.artist())
    async with streaming(service.app, f"/api/styles/{style.id}/events", session=session) as stream:
        assert stream.status == 404


# --- notifications ----------------------------------------------------------------------------------------------------


async def test_notifications_are_streamed_and_missed_ones_sent_at_reconnect(
    service: Service, world: MemoryWorld, session: str, ann: User
) -> None:
    fans = [await world.user(name) for name in ("bob", "eve", "joe", "sue")]
    path = "/api/notifications/events"
    await world.use_case(FollowUser)(fans[0].id, ann.id)
    world.clock.advance(timedelta(seconds=1))
    async with streaming(service.app, path, session=session) as stream:
        unread = await stream.event()
        assert (unread.name, unread.data["actor"]["username"]) == ("notification", "bob")
        await world.use_case(FollowUser)(fans[1].id, ann.id)
        sent = await stream.event()
        listed = (await polled(service, session, "/api/notifications"))["results"]
        assert sent.data == listed[0]
        assert sent.id == f"{listed[0]['id']}.{listed[1]['id']}"
    for fan in fans[2:]:
        world.clock.advance(timedelta(seconds=1))
        await world.use_case(FollowUser)(fan.id, ann.id)
    async with streaming(service.app, path, session=session, last=sent.id) as stream:
        missed = [await stream.event() for _ in range(2)]
    assert [event.data["actor"]["username"] for event in missed] == ["joe", "sue"]


@pytest.mark.parametrize("last", ["", "x", "0", "9" * 19, "9" * 5000, "\u00b2"])
async def test_an_invalid_last_event_id_is_ignored(
    service: Service, world: MemoryWorld, session: str, ann: User, last: str
) -> None:
    await world.follow(await world.user("bob"), ann)
    async with streaming(
        service.app, "/api/notifications/events", session=session, last=last.encode().decode("latin-1")
    ) as stream:
        assert (await stream.event()).data["actor"]["username"] == "bob"
