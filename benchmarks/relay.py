"""The relay: how soon after its commit a task is confirmed by a real RabbitMQ."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from dishka import AsyncContainer

from benchmarks.stage import environ
from benchmarks.table import table
from core.identifiers import TaskId, VersionId
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.outbox import Outbox
from core.ports.task_queue import TaskQueue
from core.ports.transaction import Transaction
from core.tasks.model import PendingTask, TrainingOrder, WebhookBase, training_task
from core.tasks.publish_tasks import PublishTasks
from entrypoints.container import create_container
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database
from entrypoints.relay import Relay
from entrypoints.settings import read_settings
from tests.support import shared
from tests.support.rabbitmq import private_node

TASKS = 500
WARMING_UP = 20
APART = 0.01
"""Seconds between two commits."""
TARGET = 0.050
"""Seconds from the commit to the broker's confirm, typically."""


class _Timed(Broker):
    """Records when each task was confirmed."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._confirmed: dict[TaskId, asyncio.Future[float]] = {}

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        confirmed = await self._broker.publish(tasks)
        for task_id in confirmed:
            self.confirmed(task_id).set_result(time.perf_counter())
        return confirmed

    async def reachable(self) -> bool:
        return await self._broker.reachable()

    def confirmed(self, task_id: TaskId) -> "asyncio.Future[float]":
        return self._confirmed.setdefault(task_id, asyncio.get_running_loop().create_future())


def report() -> str:
    """On its own database and RabbitMQ node, which are removed afterwards."""
    shared.begin()
    try:
        with tempfile.TemporaryDirectory(prefix="style-license-benchmark-") as directory, private_node() as node:
            database = embedded_database(Path(directory) / "postgres")
            url = database.start()
            try:
                upgrade_database(url)
                delays = asyncio.run(_delays({**environ(url), **node.broker.environment, "DATA_DIR": directory}))
            finally:
                database.stop()
    finally:
        shared.end()
    typical, slow = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    rows = [
        [f"from the commit to RabbitMQ's confirm, {len(delays)} tasks, one each {APART * 1000:.0f} ms", ""],
        ["median", f"{typical * 1000:.1f} ms"],
        ["99 of 100 within", f"{slow * 1000:.1f} ms"],
        ["target for the median", f"{TARGET * 1000:.0f} ms"],
        ["", "met" if typical <= TARGET else "missed"],
    ]
    return f"\n{table(rows)}\n"


async def _delays(variables: dict[str, str]) -> list[float]:
    container = create_container(read_settings(variables))
    broker, outbox = _Timed(await container.get(Broker)), await container.get(Outbox)
    relay = asyncio.create_task(Relay(PublishTasks(outbox, broker, await container.get(Clock)), outbox).run())
    try:
        delays = []
        for _ in range(WARMING_UP + TASKS):
            task_id, committed_at = await _commit(container)
            delays.append(await broker.confirmed(task_id) - committed_at)
            await asyncio.sleep(APART)
        return delays[WARMING_UP:]
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await container.close()


async def _commit(container: AsyncContainer) -> tuple[TaskId, float]:
    """One task, and when its transaction had committed."""
    async with container() as scope:
        task_id = (await scope.get(Ids)).task()
        now = (await scope.get(Clock)).now()
        order = TrainingOrder(VersionId(1), ["gs://bucket/training/1/image_0.jpg"], ["ink"])
        task = training_task(task_id, order, at=now, webhooks=WebhookBase("https://api.example"))
        queue = await scope.get(TaskQueue)
        async with await scope.get(Transaction):
            await queue.put(task)
        return task_id, time.perf_counter()
