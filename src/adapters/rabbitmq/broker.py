import asyncio
import logging
from itertools import chain

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from adapters.rabbitmq.connection import (
    CONNECTION_ERRORS,
    RESPONSE_TIMEOUT,
    Address,
    connect,
    declare_queues,
    discard,
    shared_connection,
)
from core.identifiers import TaskId
from core.ports.broker import Broker
from core.tasks.model import QUEUES, PendingTask, Queue

REACHABLE_WITHIN = 1.5
"""Seconds."""

_log = logging.getLogger(__name__)


class RabbitMQBroker(Broker):
    """One connection per queue; after a failure it is discarded with everything under way on it."""

    def __init__(self, address: Address) -> None:
        self._publishers: dict[Queue, _Publisher] = {queue: _Publisher(address, queue) for queue in QUEUES}

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        queued = [(publisher, [task for task in tasks if task.queue == q]) for q, publisher in self._publishers.items()]
        confirmed = await asyncio.gather(*(publisher.publish(some) for publisher, some in queued if some))
        task_ids = set(chain.from_iterable(confirmed))
        return [task.task_id for task in tasks if task.task_id in task_ids]

    async def reachable(self) -> bool:
        return await self._publishers["image_generation"].reachable()

    async def close(self) -> None:
        for publisher in self._publishers.values():
            await publisher.close()


class _Publisher:
    """One connection and one confirming channel, opened on demand and discarded on any error."""

    def __init__(self, address: Address, queue: Queue) -> None:
        self._address = address
        self._queue: Queue = queue
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                with shared_connection():
                    channel = await self._confirming_channel()
        except CONNECTION_ERRORS as error:
            _log.warning("RabbitMQ unavailable queue=%s error=%r", self._queue, error)
            return []
        # Sent in order over one channel, so they arrive in order; only the confirms are awaited together.
        outcomes = await asyncio.gather(*(_send(channel, task) for task in tasks), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, CONNECTION_ERRORS):
                raise outcome
        if failures := [outcome for outcome in outcomes if outcome is not None]:
            _log.warning(
                "tasks not confirmed count=%s of=%s queue=%s error=%r",
                *(len(failures), len(tasks), self._queue, failures[0]),
            )
            await self._discard()
        return [task.task_id for task, outcome in zip(tasks, outcomes, strict=True) if outcome is None]

    async def reachable(self) -> bool:
        """Opens a new channel, which the broker itself must answer, unlike cached state."""
        try:
            async with asyncio.timeout(REACHABLE_WITHIN):
                with shared_connection():
                    await self._confirming_channel()
                    if self._connection is None:
                        return False
                    probe = await self._connection.channel(publisher_confirms=False)
                    await probe.close()
        except CONNECTION_ERRORS:
            await self._discard()
            return False
        return True

    async def close(self) -> None:
        await self._discard()

    async def _confirming_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed or self._connection is None:
                await self._discard()
                self._connection = await connect(self._address)
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                await declare_queues(channel, self._queue)
                self._channel = channel
            return self._channel

    async def _discard(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await discard(connection)


async def _send(channel: AbstractChannel, task: PendingTask) -> None:
    message = aio_pika.Message(
        task.body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=task.task_id,
    )
    async with asyncio.timeout(RESPONSE_TIMEOUT):
        with shared_connection():
            await channel.default_exchange.publish(message, routing_key=task.queue, mandatory=True)
