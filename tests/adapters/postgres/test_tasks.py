"""Relays and servers as processes of their own: each with its pool, on one database."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable

import pytest

from adapters.postgres.listener import Listener
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.tasks import LOCK, PostgresOutbox, PostgresTaskQueue
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.system.clock import SystemClock
from core.identifiers import TaskId, VersionId
from core.ports.broker import Broker
from core.ports.database import DatabaseUnavailable, DatabaseUsage
from core.tasks.model import PendingTask, Queue, TrainingOrder, WebhookBase, training_task
from core.tasks.publish_tasks import PublishTasks
from tests.contracts.postgres_world import PostgresWorld
from tests.support import rabbitmq
from tests.support.world import World

TIMEOUT = 20.0
"""Seconds."""
QUEUE: Queue = "model_training"


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
    return PostgresOutbox(here, notifies=True)


@pytest.fixture
def world(here: Pool) -> World:
    return PostgresWorld(here)


async def put(world: World, pool: Pool, outbox: PostgresOutbox) -> TaskId:
    now = SystemClock().now()
    task = training_task(
        world.ids.task(), TrainingOrder(VersionId(1), [], []), at=now, webhooks=WebhookBase("https://x")
    )
    async with PostgresTransaction(UnitOfWork(pool, DatabaseUsage())) as transaction:
        await PostgresTaskQueue(transaction, outbox).put(task)
    return task.task_id


async def notified(waiting: asyncio.Task[None]) -> None:
    async with asyncio.timeout(TIMEOUT):
        await waiting


async def listening(outbox: PostgresOutbox) -> "asyncio.Task[None]":
    """It waits, and is notified from now on."""
    await outbox.wait(QUEUE, seconds=TIMEOUT)  # before it listens, notifications may be missed
    waiting = asyncio.create_task(outbox.wait(QUEUE, seconds=60))
    await asyncio.sleep(0)
    return waiting


async def test_a_relay_in_another_process_is_notified_of_a_commit(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    began = time.perf_counter()

    await put(world, here, server)
    await notified(waiting)

    logging.getLogger(__name__).warning("Notified after %.1f ms.", (time.perf_counter() - began) * 1000)


async def test_a_server_with_its_own_relay_notifies_no_other(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    before = here.round_trips

    await put(world, here, PostgresOutbox(here))
    assert here.round_trips == before + 1
    assert not waiting.done()

    await put(world, here, server)
    await notified(waiting)


async def test_under_load_notifications_are_merged(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    before = here.round_trips

    await asyncio.gather(*(put(world, here, server) for _ in range(200)))
    await notified(waiting)

    assert here.round_trips - before < 300


async def test_a_task_put_during_a_notification_is_notified(
    world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox
) -> None:
    waiting = await listening(relay)
    for _ in range(3):
        await put(world, here, server)
        await notified(waiting)
        waiting = asyncio.create_task(relay.wait(QUEUE, seconds=60))
    waiting.cancel()


async def test_the_listener_reconnects(world: World, here: Pool, relay: PostgresOutbox, server: PostgresOutbox) -> None:
    waiting = await listening(relay)
    await here.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'LISTEN%'"
    )
    await notified(waiting)  # notifications may have been missed meanwhile
    waiting = asyncio.create_task(relay.wait(QUEUE, seconds=60))

    await put(world, here, server)

    await notified(waiting)


class Noting(Broker):
    """Confirms every task, slowly enough that other relays interleave."""

    def __init__(self) -> None:
        self.batches: list[list[TaskId]] = []

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        await asyncio.sleep(0)
        self.batches.append([task.task_id for task in tasks])
        return self.batches[-1]

    async def reachable(self) -> bool:
        return True


async def relaying(pool: Pool, broker: Broker, *, until: Callable[[], bool]) -> None:
    outbox = PostgresOutbox(pool)
    publish = PublishTasks(outbox, broker, SystemClock())
    async with asyncio.timeout(TIMEOUT):
        while not until():
            if await publish(QUEUE, limit=7) == (0, 0):
                await outbox.wait(QUEUE, seconds=1)


async def test_concurrent_relays_publish_each_task_once_in_order(world: World, here: Pool, there: Pool) -> None:
    task_ids = [await put(world, here, PostgresOutbox(here)) for _ in range(60)]
    broker = Noting()

    def done() -> bool:
        return sum(map(len, broker.batches)) == len(task_ids)

    await asyncio.gather(*(relaying(pool, broker, until=done) for pool in (here, there, here, there)))

    assert [task_id for batch in broker.batches for task_id in batch] == task_ids


async def test_concurrent_relays_fill_a_real_queue_in_order(
    world: World, here: Pool, there: Pool, broker: rabbitmq.VirtualHost
) -> None:
    task_ids = [await put(world, here, PostgresOutbox(here)) for _ in range(100)]
    address = broker.address
    relays = [RabbitMQBroker(address), RabbitMQBroker(address)]

    async def relay(pool: Pool, own: RabbitMQBroker) -> None:
        while await here.fetch("SELECT FROM outbox"):
            await PublishTasks(PostgresOutbox(pool), own, SystemClock())(QUEUE, limit=7)

    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(relay(here, relays[0]), relay(there, relays[1]))

    assert await rabbitmq.message_ids(broker, "model_training") == task_ids
    for own in relays:
        await own.close()


async def test_a_waiting_relay_takes_over_after_a_crash(world: World, here: Pool, there: Pool) -> None:
    task_ids = [await put(world, here, PostgresOutbox(here)) for _ in range(3)]
    follower, broker = PostgresOutbox(here), Noting()

    async def die_publishing() -> None:
        async with PostgresOutbox(there).claim(QUEUE, now=SystemClock().now(), limit=2) as batch:
            assert await PublishTasks(follower, broker, SystemClock())(QUEUE) == (0, 0)
            await batch.published([task_ids[0]])
            await here.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction'"
            )

    with pytest.raises(DatabaseUnavailable):
        await die_publishing()
    await relaying(here, broker, until=lambda: bool(broker.batches))

    assert broker.batches == [task_ids]


async def test_a_claimed_queue_does_not_delay_the_other_queue(world: World, here: Pool) -> None:
    """One relay may have one queue, and another the other."""
    task_id = await put(world, here, PostgresOutbox(here))
    busy = await here.begin()
    await busy.fetch(LOCK, "image_generation")

    async with PostgresOutbox(here).claim(QUEUE, now=SystemClock().now(), limit=9) as batch:
        assert [task.task_id for task in batch.tasks] == [task_id]
    await busy.rollback()
