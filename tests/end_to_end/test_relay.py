"""The relay as a process, stopped by SIGTERM as on Cloud Run."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.system.clock import SystemClock
from core.identifiers import TaskId, VersionId
from core.ports.database import DatabaseUsage
from core.tasks.model import TrainingOrder, WebhookBase, training_task
from tests.contracts.postgres_world import PostgresWorld
from tests.support import processes
from tests.support.proxy import Proxy
from tests.support.rabbitmq import VirtualHost, message_ids

TIME_LIMIT = 30.0
"""Seconds."""


@asynccontextmanager
async def running_relay(environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entrypoints.cli", "relay"),
        env=processes.environment(**environment),
        cwd=processes.NOWHERE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def says(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stderr is not None
    output = b""
    while text.encode() not in output:
        line = await process.stderr.readline()
        assert line, output.decode()
        output += line


async def put(pool: Pool) -> TaskId:
    task_id, outbox = PostgresWorld(pool).ids.task(), PostgresOutbox(pool, notifies=True)
    task = training_task(
        task_id,
        TrainingOrder(VersionId(1), [], []),
        at=SystemClock().now(),
        webhooks=WebhookBase("https://api.example"),
    )
    async with PostgresTransaction(UnitOfWork(pool, DatabaseUsage())) as transaction:
        await PostgresTaskQueue(transaction, outbox).put(task)
    return task_id


async def unpublished(pool: Pool) -> int:
    return len(await pool.fetch("SELECT FROM outbox"))


async def test_a_stopped_relay_finishes_its_batch(own_database_url: str, broker: VirtualHost, tmp_path: Path) -> None:
    proxy = Proxy(broker)
    async with create_pool(own_database_url) as pool, proxy.running() as address, asyncio.timeout(TIME_LIMIT):
        environment = broker.environment | {"RABBITMQ_HOST": address.host, "RABBITMQ_PORT": str(address.port)}
        environment |= {"DATABASE_URL": own_database_url, "DATA_DIR": str(tmp_path / "data")}
        async with running_relay(environment) as relay:
            await says(relay, "relay started")
            first = await put(pool)
            while await unpublished(pool):  # noqa: ASYNC110 - a table has no event
                await asyncio.sleep(0.01)

            proxy.freeze()
            second = await put(pool)
            await proxy.holds(second.encode())
            relay.terminate()
            await says(relay, "relay stopping")
            proxy.thaw()

            assert await relay.wait() == 0
        assert await unpublished(pool) == 0
    assert await message_ids(broker, "model_training") == [first, second]
