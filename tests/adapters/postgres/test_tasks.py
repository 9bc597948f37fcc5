"""Relays and servers as processes of their own: each with its pool, on one database."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest

from adapters.postgres.listener import Listener
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.transaction import PostgresTransaction
from adapters.system.clock import SystemClock
from core.identifiers import StyleId, TaskId
from core.ports.broker import Broker
from core.tasks.model import PendingTask, TrainingOrder, WebhookBase, training_task
from core.tasks.publish_tasks import PublishTasks
from tests.contracts.postgres_world import PostgresWorld
from tests.support.world import World

PATIENCE = 20.0
"""Seconds."""


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url) as pool:
        yield pool


@pytest.fixture
async def there(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url) as pool:
        yield pool


@pytest.fixture
async def relay(there: Pool, database_url: str) -> AsyncIterator[PostgresOutbox]:
    """The outbox of a process with a relay."""
    listener = Listener(database_url)
    yield PostgresOutbox(there, listener=listener)
    await listener.close()


@pytest.fixture
def server(here: Pool) -> PostgresOutbox:
    """The outbox of a process without one."""
    return PostgresOutbox(here, tells=True)


@pytest.fixture
def world(here: Pool) -> World:
    return PostgresWorld(here)


async def put(world: World, pool: Pool, outbox: PostgresOutbox) -> TaskId:
    now = SystemClock().now()
    task = training_task(world.ids.task(), TrainingOrder(StyleId(1), [], []), at=now, webhooks=WebhookBase("https://x"))
    async with PostgresTransaction(pool) as transaction:
        await PostgresTaskQueue(transaction, outbox).put(task)
    return task.task_id


async def heard(waiting: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await waiting


async def listening(outbox: PostgresOutbox) -> "asyncio.Task[None]":
    """It waits, and hears what is told from now on."""
    await outbox.wait(seconds=PATIENCE)  # until it has begun to listen, anything may have been told
    waiting = asyncio.create_task(outbox.wait(seconds=60))
    await asyncio.sleep(0)
    return waiting


async def test_a_relay_in_another_process_hears_of_a_commit(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    began = time.perf_counter()

    await put(world, here, server)
    await heard(waiting)

    logging.getLogger(__name__).warning("Told after %.1f ms.", (time.perf_counter() - began) * 1000)


async def test_a_server_with_a_relay_of_its_own_tells_nobody(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    before = here.round_trips

    await put(world, here, PostgresOutbox(here))
    assert here.round_trips == before + 1
    assert not waiting.done()

    await put(world, here, server)
    await heard(waiting)


async def test_under_load_it_is_not_told_of_each_commit(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    before = here.round_trips

    await asyncio.gather(*(put(world, here, server) for _ in range(200)))
    await heard(waiting)

    assert here.round_trips - before < 300


async def test_what_is_put_while_it_is_told_is_told_as_well(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    for _ in range(3):
        await put(world, here, server)
        await heard(waiting)
        waiting = asyncio.create_task(relay.wait(seconds=60))
    waiting.cancel()


async def test_it_listens_again_after_its_connection_broke(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    await here.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'LISTEN%'"
    )
    await heard(waiting)  # anything may have been told meanwhile
    waiting = asyncio.create_task(relay.wait(seconds=60))

    await put(world, here, server)

    await heard(waiting)


class Noting(Broker):
    """Takes everything, slowly enough that others come in between."""

    def __init__(self) -> None:
        self.batches: list[list[TaskId]] = []

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        await asyncio.sleep(0)
        self.batches.append([task.task_id for task in tasks])
        return self.batches[-1]

    async def reachable(self) -> bool:
        return True


async def test_relays_at_once_publish_each_task_once_and_each_claim_in_order(
    world: World, here: Pool, there: Pool
) -> None:
    task_ids = [await put(world, here, PostgresOutbox(here)) for _ in range(60)]
    broker = Noting()

    async def relay(pool: Pool) -> None:
        publish = PublishTasks(PostgresOutbox(pool), broker, SystemClock())
        while await publish(limit=7) != (0, 0):
            pass

    await asyncio.gather(relay(here), relay(there), relay(here), relay(there))

    places = [[task_ids.index(task_id) for task_id in batch] for batch in broker.batches]
    assert sorted(place for batch in places for place in batch) == list(range(60))
    assert all(batch == sorted(batch) for batch in places)
