"""The suite's own stopping of dependencies is not reported as a fault of the service."""

from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import aio_pika
from aio_pika.exceptions import DeliveryError

from tests.faults.dependencies import RabbitMQ
from tests.support.rabbitmq import Node, VirtualHost

WAITING = 10


async def test_a_full_queue_keeps_its_messages_and_refuses_the_next(broker: VirtualHost) -> None:
    rabbitmq = RabbitMQ(cast("Node", SimpleNamespace(broker=broker)))
    await rabbitmq.prepare()
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("image_generation", durable=True)

        async def publish() -> None:
            await channel.default_exchange.publish(aio_pika.Message(b"a task"), queue.name)

        for _ in range(WAITING):
            await publish()
        await rabbitmq.limit()
        taken = WAITING
        with suppress(DeliveryError):
            for _ in range(100):  # until the policy applies to the queue
                await publish()
                taken += 1
        declared = await channel.declare_queue("image_generation", durable=True)
        assert declared.declaration_result.message_count == taken < WAITING + 100

        await rabbitmq.lift_limit()
