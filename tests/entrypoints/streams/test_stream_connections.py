"""Streams as connections: limits, keep-alive comments, disconnects and shutdown."""

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from litestar.types import HTTPResponseBodyEvent

from adapters.memory.generations import MemoryGenerationsReader
from core.accounts.model import SESSION_LIFETIME, User
from core.accounts.sign_out import SignOut
from core.generations.model import Generation
from core.generations.views import GenerationView
from core.live_events import StreamEvent, StreamTiming
from core.ports.database import DatabaseUnavailable
from entrypoints import server
from entrypoints.container.use_cases import _stream_timing
from entrypoints.http import open_streams, streams
from entrypoints.http.open_streams import PER_USER
from tests.entrypoints.service import FRONTEND, Service, settings
from tests.entrypoints.stream_client import StreamClient, streaming
from tests.entrypoints.streams.steps import polled, progress, watched
from tests.support.memory_world import MemoryWorld
from tests.support.ports import free_port

RESTLESS = StreamTiming(timedelta(0))
"""Every stream looks all the time."""


async def test_heartbeat_comments_are_sent(world: MemoryWorld, ann: User, image: Generation) -> None:
    restless = Service(world, pace=RESTLESS)
    async with streaming(
        restless.app, f"/api/generations/{image.id}/events", session=await restless.session_of(ann)
    ) as stream:
        assert await stream.event_or_comment()
        for _ in range(3):
            assert await stream.event_or_comment() is None


async def test_a_change_without_notification_is_sent_at_the_next_heartbeat(
    world: MemoryWorld, ann: User, image: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    restless = Service(world, pace=RESTLESS)
    monkeypatch.setattr(world.database.changes, "notify", lambda _: None)
    async with streaming(
        restless.app, f"/api/generations/{image.id}/events", session=await restless.session_of(ann)
    ) as stream:
        await stream.event()
        await progress(world, image, 1)
        assert (await stream.event()).data["status"] == "processing"


async def test_a_stream_ends_when_signing_out(
    service: Service, world: MemoryWorld, session: str, ann: User, image: Generation
) -> None:
    another = await service.session_of(ann)
    async with (
        streaming(service.app, f"/api/generations/{image.id}/events", session=session) as one,
        streaming(service.app, "/api/notifications/events", session=session) as two,
        streaming(service.app, "/api/notifications/events", session=another) as other,
    ):
        await world.use_case(SignOut)(session)
        await one.end()
        await two.end()
        assert not other.ended.is_set()


async def test_a_stream_ends_when_the_session_expires(world: MemoryWorld, ann: User) -> None:
    restless = Service(world, pace=RESTLESS)
    async with streaming(restless.app, "/api/notifications/events", session=await restless.session_of(ann)) as stream:
        assert await stream.event_or_comment() is None
        world.clock.advance(SESSION_LIFETIME)
        await stream.end()


async def test_a_disconnect_releases_everything(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    tasks = len(asyncio.all_tasks())
    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        await stream.event()
        assert service.streams.open == 1
        assert f"generation:{image.id}" in watched(world)
    assert service.streams.open == 0
    assert watched(world) == set()
    assert len(asyncio.all_tasks()) == tasks


async def test_a_slow_client_gets_the_latest_state_only(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        await stream.event()
        stream.takes.clear()
        for step in range(1, 40):
            await progress(world, image, step)
            await asyncio.sleep(0)
        stream.takes.set()
        steps: list[int] = []
        while not steps or steps[-1] != 39:
            steps.append((await stream.event()).data["progress"]["current_step"])
        assert len(steps) <= 3
        assert all(one < other for one, other in pairwise(steps))


async def test_a_slow_client_that_disconnects_is_released(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        await stream.event()
        stream.takes.clear()
        await progress(world, image, 1)
        stream._left.set()
        while service.streams._sending:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        stream.takes.set()


async def test_the_number_of_streams_of_a_user_is_limited(service: Service, world: MemoryWorld, session: str) -> None:
    bob = await service.session_of(await world.user("bob"))
    path = "/api/notifications/events"
    opened: list[StreamClient] = []
    try:
        for _ in range(PER_USER):
            opened.append(StreamClient(service.app, path, {"Cookie": f"sessionid={session}"}))
            await opened[-1].begin()
        async with streaming(service.app, path, session=session) as refused:
            assert (refused.status, refused.headers["content-type"]) == (429, "application/json")
            assert (await refused.body())["error"]["code"] == "TOO_MANY_STREAMS"
        async with streaming(service.app, path, session=bob) as another:
            assert another.status == 200
        await opened.pop().leave()
        async with streaming(service.app, path, session=session) as again:
            assert again.status == 200
    finally:
        await asyncio.gather(*(stream.leave() for stream in opened))


async def test_the_total_number_of_streams_is_limited(
    service: Service, world: MemoryWorld, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "IN_ALL", 1)
    bob = await service.session_of(await world.user("bob"))
    async with streaming(service.app, "/api/notifications/events", session=session):
        async with streaming(service.app, "/api/notifications/events", session=bob) as refused:
            assert refused.status == 429
        assert await polled(service, bob, "/api/notifications")


async def test_a_failed_read_ends_the_stream(
    service: Service, world: MemoryWorld, session: str, image: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_args: Any, **_options: Any) -> None:
        raise DatabaseUnavailable

    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        await stream.event()
        monkeypatch.setattr(MemoryGenerationsReader, "detail", refuse)
        await progress(world, image, 1)
        await stream.end()
    async with streaming(service.app, f"/api/generations/{image.id}/events", session=session) as stream:
        assert (stream.status, (await stream.body())["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")


async def test_the_number_of_concurrent_reads_is_limited(
    world: MemoryWorld, ann: User, image: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an interruption of notifications: calls would wait behind thousands of reads."""
    service = Service(world, pace=StreamTiming(timedelta(hours=1), turn=asyncio.Semaphore(2)))
    session = await service.session_of(ann)
    looking: Counter[str] = Counter()
    detail = MemoryGenerationsReader.detail

    async def watched_look(self: MemoryGenerationsReader, *args: Any, **options: Any) -> GenerationView:
        looking["now"] += 1
        looking["most"] = max(looking["most"], looking["now"])
        for _ in range(10):
            await asyncio.sleep(0)
        looking["now"] -= 1
        return await detail(self, *args, **options)

    async with AsyncExitStack() as stack:
        path = f"/api/generations/{image.id}/events"
        followed = [await stack.enter_async_context(streaming(service.app, path, session=session)) for _ in range(9)]
        for stream in followed:
            await stream.event()
        monkeypatch.setattr(MemoryGenerationsReader, "detail", watched_look)
        world.database.changes.notify_all()
        for stream in followed:
            assert await stream.event_or_comment() is None
    assert looking == {"now": 0, "most": 2}


async def test_a_client_that_reads_nothing_delays_no_others(
    service: Service, world: MemoryWorld, session: str, image: Generation
) -> None:
    """Sending an event does not count for the limit of concurrent reads."""
    path = f"/api/generations/{image.id}/events"
    narrow = Service(world, pace=StreamTiming(timedelta(hours=1), turn=asyncio.Semaphore(1)))
    async with (
        streaming(narrow.app, path, session=session) as slow,
        streaming(narrow.app, path, session=session) as other,
    ):
        for stream in (slow, other):
            await stream.event()
        slow.takes.clear()
        for step in (1, 2):
            await progress(world, image, step)
            assert (await other.event()).data["progress"]["current_step"] == step
        slow.takes.set()


@pytest.mark.parametrize(("connections", "looks"), [(1, 1), (2, 1), (10, 5)])
def test_half_of_the_connections_are_reserved_for_calls(connections: int, looks: int) -> None:
    turn = _stream_timing(settings(database_pool_size=connections)).turn
    assert isinstance(turn, asyncio.Semaphore)
    assert turn._value == looks


async def test_a_client_that_reads_nothing_is_disconnected(
    world: MemoryWorld, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a real connection, into which the system takes some megabytes before anything has to wait."""
    monkeypatch.setattr(streams, "ALIVE", b":" + b" " * 1_000_000 + b"\n\n")
    monkeypatch.setattr(streams, "TAKEN_WITHIN", 0.5)
    taken: list[int] = []
    encoded = streams._part

    def counted(event: StreamEvent | None) -> HTTPResponseBodyEvent:
        taken.append(1)
        assert len(taken) < 100, "the process buffers whatever is not taken"
        return encoded(event)

    monkeypatch.setattr(streams, "_part", counted)
    restless = Service(world, pace=RESTLESS)
    session, port = await restless.session_of(ann), free_port()
    stop, started = asyncio.Event(), asyncio.Event()
    chosen = settings(host="127.0.0.1", port=port)
    serving = asyncio.create_task(
        server.serve(restless.app, chosen, stop=stop, started=started.set, stopping=restless.streams.close)
    )
    await started.wait()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET /api/notifications/events HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={session}\r\n\r\n".encode()
        )
        async with asyncio.timeout(20):
            while not taken or restless.streams.open:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
    stop.set()
    await serving


async def test_streams_end_when_the_process_stops(service: Service, session: str, image: Generation) -> None:
    async with (
        streaming(service.app, f"/api/generations/{image.id}/events", session=session) as one,
        streaming(service.app, "/api/notifications/events", session=session) as other,
    ):
        service.streams.close()
        await one.end()
        await other.end()
    async with streaming(service.app, "/api/notifications/events", session=session) as late:
        await late.end()


async def test_head_opens_no_stream(service: Service, session: str) -> None:
    stream = StreamClient(service.app, "/api/notifications/events", {"Cookie": f"sessionid={session}"}, method="HEAD")
    await stream.begin()
    await stream.end()
    await stream.leave()
    assert (stream.status, stream.headers["content-type"], stream.unread) == (200, "text/event-stream", 0)


async def test_a_frontend_on_another_origin_can_stream(service: Service, session: str) -> None:
    async with streaming(service.app, "/api/notifications/events", session=session, Origin=FRONTEND) as stream:
        assert stream.headers["access-control-allow-origin"] == FRONTEND
        assert stream.headers["access-control-allow-credentials"] == "true"
        assert stream.headers["vary"].endswith("Origin")
