"""Streams at one process of changes made by others, and the cost of polling instead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from adapters.postgres.changes import PostgresChanges
from adapters.postgres.pool import Pool, create_pool
from core.accounts.model import User
from core.generations.model import Generation
from core.ports.changes import Changes
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.postgres_service import PostgresService
from tests.entrypoints.stream_client import StreamClient, streaming


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=4) as opened:
        yield opened


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)


@pytest.fixture
async def here(world: PostgresWorld, database_url: str) -> AsyncIterator[PostgresService]:
    """The process that streams."""
    service = PostgresService(world, database_url)
    yield service
    assert service.streams.open == 0
    assert (await _changes(service)).watched == set()
    await service.container.close()


@pytest.fixture
async def there(world: PostgresWorld, database_url: str) -> AsyncIterator[PostgresService]:
    """The process that things happen in."""
    service = PostgresService(world, database_url)
    yield service
    await service.container.close()


@pytest.fixture
async def ann(world: PostgresWorld) -> User:
    return await world.user("ann", tokens=100)


@pytest.fixture
async def image(world: PostgresWorld, ann: User) -> Generation:
    return await world.generation(ann, await world.style(await world.artist()))


async def _changes(service: PostgresService) -> PostgresChanges:
    changes = await service.container.get(Changes)
    assert isinstance(changes, PostgresChanges)
    return changes


async def until_listening(stream: StreamClient) -> None:
    """Return when the process listens: then every stream looks once more."""
    assert await stream.event_or_comment() is None


async def webhook(service: PostgresService, method: str, path: str, body: dict[str, Any]) -> None:
    async with service.browser() as browser:
        answer = await browser.call(
            method, f"/api/webhooks/inference/{path}", json=body, headers=service.ai_server("inference-server")
        )
    assert answer.json()["data"]["applied"]


async def progress(service: PostgresService, image: Generation, step: int) -> None:
    report = {"current_step": step, "total_steps": 50, "progress_percent": step * 2.0, "estimated_seconds": 9}
    await webhook(service, "PATCH", "progress", {"generation_id": image.id, "progress": report})


async def complete(service: PostgresService, image: Generation, world: PostgresWorld) -> None:
    url = world.blobs.uri("generations/1.png")
    await webhook(service, "POST", "complete", {"generation_id": image.id, "result_url": url})


async def test_changes_are_streamed_by_another_process(
    here: PostgresService, there: PostgresService, world: PostgresWorld, ann: User, image: Generation
) -> None:
    session = await here.session_of(ann)
    async with (
        streaming(here.app, f"/api/generations/{image.id}/events", session=session) as stream,
        streaming(here.app, "/api/notifications/events", session=session) as notices,
    ):
        assert (await stream.event()).data["status"] == "queued"
        for step in (1, 2):
            await progress(there, image, step)
            assert (await stream.event()).data["progress"]["current_step"] == step
        await complete(there, image, world)
        assert (await stream.event()).data["status"] == "completed"
        await stream.end()
        assert (await notices.event()).data["type"] == "generation_complete"


async def test_signing_out_ends_streams_in_other_processes(
    here: PostgresService, there: PostgresService, ann: User
) -> None:
    async with (
        there.browser(ann) as browser,
        streaming(here.app, "/api/notifications/events", session=browser.session) as stream,
    ):
        assert await stream.event_or_comment() is None
        assert (await browser.post("/api/auth/logout")).status_code == 200
        await stream.end()


async def test_changes_during_a_listener_outage_are_streamed(
    here: PostgresService,
    there: PostgresService,
    pool: Pool,
    ann: User,
    image: Generation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect, way_is_free, tried = asyncpg.connect, asyncio.Event(), asyncio.Event()

    async def connect_later(*args: Any, **options: Any) -> Any:
        if "command_timeout" in options:  # the connection that listens
            tried.set()
            await way_is_free.wait()
        return await connect(*args, **options)

    async with streaming(here.app, f"/api/generations/{image.id}/events", session=await here.session_of(ann)) as stream:
        await stream.event()
        await until_listening(stream)
        monkeypatch.setattr(asyncpg, "connect", connect_later)
        await pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await tried.wait()
        await progress(there, image, 1)
        await (await there.container.get(Pool)).notifier.wait_until_sent()
        assert stream.unread == 0

        way_is_free.set()
        assert (await stream.event()).data["progress"]["current_step"] == 1

        await progress(there, image, 2)
        assert (await stream.event()).data["progress"]["current_step"] == 2


async def test_all_streams_share_one_listener_connection(
    here: PostgresService, pool: Pool, ann: User, image: Generation
) -> None:
    session = await here.session_of(ann)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streaming(here.app, "/api/notifications/events", session=session))
        await first.event_or_comment()
        await until_listening(first)
        for path in ("/api/notifications/events", f"/api/generations/{image.id}/events") * 5:
            stream = await stack.enter_async_context(streaming(here.app, path, session=session))
            await stream.event_or_comment()
        listening = await pool.fetch(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert len(listening) == 1


async def test_a_waiting_stream_holds_no_connection(
    here: PostgresService, there: PostgresService, ann: User, image: Generation
) -> None:
    async with streaming(here.app, f"/api/generations/{image.id}/events", session=await here.session_of(ann)) as stream:
        await stream.event()
        await until_listening(stream)
        pool = await here.container.get(Pool)
        taken = [await pool.checkout() for _ in range(here.settings.database_pool_size)]
        for connection in taken:
            pool.release(connection)

        await progress(there, image, 1)
        await stream.event()


async def test_polling_costs_one_query(here: PostgresService, ann: User, image: Generation) -> None:
    pool = await here.container.get(Pool)
    path = f"/api/generations/{image.id}"
    async with here.browser(ann) as browser:
        first = await browser.get(path)
        before = pool.round_trips
        again = await browser.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, pool.round_trips - before) == (304, 2)  # the session, the image


async def test_polling_without_a_session_costs_one_query(
    here: PostgresService, world: PostgresWorld, ann: User
) -> None:
    image = await world.image(ann, await world.style(await world.artist()), public=True)
    pool = await here.container.get(Pool)
    async with here.browser() as browser:
        first = await browser.get(f"/api/generations/{image.id}")
        before = pool.round_trips
        again = await browser.get(f"/api/generations/{image.id}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, pool.round_trips - before) == (304, 1)
