import asyncio
import logging
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractIncomingMessage

from adapters.rabbitmq.connection import CONNECTION_ERRORS, RESPONSE_TIMEOUT, Address, connected, declare_queues
from adapters.task_source import RETRY_AFTER, TaskSource

RECONNECT_AFTER = 0.5
"""Seconds."""

_log = logging.getLogger(__name__)


class RabbitMQTaskSource(TaskSource):
    def __init__(self, address: Address) -> None:
        self._address = address

    async def consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            try:
                await self._consume(queue, handle)
            except CONNECTION_ERRORS as error:
                _log.debug("RabbitMQ unavailable error=%r", error)
            await asyncio.sleep(RECONNECT_AFTER)

    async def _consume(self, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
        async with connected(self._address) as connection:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=1)
                await declare_queues(channel)
                source = await channel.get_queue(queue, ensure=False)
            async with source.iterator() as messages:
                async for message in messages:
                    await _handle(message, handle)


async def _handle(message: AbstractIncomingMessage, handle: Callable[[bytes], Awaitable[None]]) -> None:
    try:
        async with message.process(requeue=True):
            try:
                await handle(message.body)
            except Exception:
                await asyncio.sleep(RETRY_AFTER)
                raise
    except CONNECTION_ERRORS:
        raise
    except Exception:
        _log.exception("task failed and will be delivered again")
