"""An empty virtual host on RabbitMQ for each test."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import get_args
from urllib.parse import quote
from uuid import uuid4

import aio_pika
import httpx

from adapters.rabbitmq.connection import DEAD_LETTER_QUEUE
from core.tasks.model import Queue
from tests.support import shared
from tests.support.rabbitmq.server import VirtualHost


@contextlib.asynccontextmanager
async def own_virtual_host(where: VirtualHost) -> AsyncIterator[VirtualHost]:
    """A virtual host that no other test uses, deleted afterwards.

    That takes the management plugin and the right to use it. A foreign broker without it lends the virtual host that
    it has, with the service's queues removed before and after; tests take turns there.
    """
    if where.management_port is None:
        with shared.locked("rabbitmq-queues"):
            await _remove_queues(where, only_if_idle=True)
            try:
                yield where
            finally:
                await _remove_queues(where, only_if_idle=False)
        return
    name = f"test-{uuid4().hex}"
    async with _management(where) as api:
        (await api.put(f"/vhosts/{name}")).raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        (await api.put(f"/permissions/{name}/{quote(where.user, safe='')}", json=everything)).raise_for_status()
        try:
            yield replace(where, vhost=name)
        finally:
            (await api.delete(f"/vhosts/{name}")).raise_for_status()


async def dead_letter(where: VirtualHost, bodies: list[bytes]) -> None:
    """What a policy does with messages that consumers reject."""
    async with await aio_pika.connect(where.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(DEAD_LETTER_QUEUE, durable=True)
        for body in bodies:
            await channel.default_exchange.publish(aio_pika.Message(body), routing_key=DEAD_LETTER_QUEUE)


def with_working_management(where: VirtualHost) -> VirtualHost:
    """The same, without its management port if that does not answer or may not be used."""
    try:
        answer = httpx.get(f"{where.management_url}/vhosts", auth=(where.user, where.password), trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError:
        return replace(where, management_port=None)
    return where


async def _remove_queues(where: VirtualHost, *, only_if_idle: bool) -> None:
    async with await aio_pika.connect(where.url) as connection:
        for queue in (*get_args(Queue), DEAD_LETTER_QUEUE):
            channel = await connection.channel()
            try:
                await channel.queue_delete(queue, if_empty=only_if_idle, if_unused=only_if_idle)
            except aio_pika.exceptions.ChannelPreconditionFailed:
                raise RuntimeError(
                    f"The queue {queue} on {where.host}:{where.port} is in use, and tests empty it. "
                    "Name a virtual host for them alone: RABBITMQ_HOST, RABBITMQ_VHOST."
                ) from None


def _management(where: VirtualHost) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=where.management_url, auth=(where.user, where.password), timeout=30, trust_env=False
    )


async def message_ids(where: VirtualHost, queue: Queue) -> list[str | None]:
    """The ids of the messages in a queue, in order. The messages are removed."""
    async with await aio_pika.connect(where.url) as connection:
        declared = await (await connection.channel()).declare_queue(queue, durable=True)
        ids = []
        while (message := await declared.get(fail=False)) is not None:
            ids.append(message.message_id)
        return ids
