"""Behaviour that needs a real broker: the wire format, a deleted queue, a broker that freezes, crashes and restarts."""

import asyncio
import gc
import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from uuid import uuid4

import aio_pika
import pytest
from msgspec.structs import replace

from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.rabbitmq.connection import Address, connect
from core.identifiers import GenerationId, TaskId, VersionId
from core.secret import Secret
from core.tasks.model import (
    GenerationOrder,
    PendingTask,
    TrainingOrder,
    WebhookBase,
    generation_task,
    pending,
    training_task,
)
from tests.support.proxy import Proxy
from tests.support.rabbitmq import Node, VirtualHost

PROMISED = 10.0
"""Seconds that publishing takes at most."""


def task() -> PendingTask:
    order = TrainingOrder(VersionId(1), ["gs://bucket/training/1/image_0.jpg"], ["ink"])
    made = training_task(TaskId(str(uuid4())), order, at=datetime.now(UTC), webhooks=WebhookBase("http://api"))
    return pending(made)


def image_task() -> PendingTask:
    order = GenerationOrder(GenerationId(1), VersionId(1), "gs://m/1", "", [], "1:1", None, 512, 512, 1, "gs://s/1")
    made = generation_task(TaskId(str(uuid4())), order, at=datetime.now(UTC), webhooks=WebhookBase("http://api"))
    return pending(made)


@pytest.fixture
async def rabbitmq(broker: VirtualHost) -> AsyncIterator[RabbitMQBroker]:
    opened = RabbitMQBroker(broker.address)
    yield opened
    await opened.close()


@asynccontextmanager
async def publishing_to_a_frozen_broker(
    broker: VirtualHost,
) -> AsyncIterator[tuple[RabbitMQBroker, "asyncio.Task[list[TaskId]]"]]:
    """A publication that waits for the confirm of a broker that is frozen, and thaws afterwards."""
    proxy = Proxy(broker)
    async with proxy.running() as address:
        rabbitmq = RabbitMQBroker(address)
        await rabbitmq.publish([task()])
        proxy.freeze()
        publishing = asyncio.create_task(rabbitmq.publish([task()]))
        await asyncio.sleep(0)
        yield rabbitmq, publishing
        proxy.thaw()
        await rabbitmq.close()


async def waiting(broker: VirtualHost) -> list[aio_pika.abc.AbstractIncomingMessage]:
    """Everything that waits in the training queue; declared as the consumers do, so other arguments would fail here."""
    async with await aio_pika.connect(broker.url) as connection:
        queue = await (await connection.channel()).declare_queue("model_training", durable=True)
        messages = []
        while (message := await queue.get(fail=False)) is not None:
            messages.append(message)
        return messages


async def test_a_message_has_the_documented_properties(rabbitmq: RabbitMQBroker, broker: VirtualHost) -> None:
    await rabbitmq.publish([sent := task()])

    (message,) = await waiting(broker)
    assert message.body == sent.body
    assert message.content_type == "application/json"
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.message_id == sent.task_id
    assert message.routing_key == "model_training"


async def test_an_unroutable_task_is_not_confirmed(rabbitmq: RabbitMQBroker, broker: VirtualHost) -> None:
    await rabbitmq.publish([task()])
    async with await aio_pika.connect(broker.url) as connection:
        await (await connection.channel()).queue_delete("model_training")

    assert await rabbitmq.publish([lost := task()]) == []
    assert await rabbitmq.publish([lost]) == [lost.task_id]  # the queue was declared again
    assert [message.body for message in await waiting(broker)] == [lost.body]


async def test_a_blocked_queue_does_not_delay_the_other(rabbitmq: RabbitMQBroker, broker: VirtualHost) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("model_training", durable=True, arguments={"x-max-length": 1})  # not as we do

    for _ in range(5):
        sent = [task(), image_task(), task(), image_task()]
        together, alone, refused = await asyncio.gather(
            rabbitmq.publish(sent), rabbitmq.publish([image := image_task()]), rabbitmq.publish([task()])
        )
        assert together == [sent[1].task_id, sent[3].task_id]
        assert (alone, refused) == ([image.task_id], [])
    assert await rabbitmq.reachable()


async def test_publishing_to_a_frozen_broker_times_out_and_recovers(broker: VirtualHost) -> None:
    proxy = Proxy(broker)
    async with proxy.running() as address:
        rabbitmq = RabbitMQBroker(address)
        await rabbitmq.publish([task()])
        proxy.freeze()

        began = monotonic()
        assert await rabbitmq.publish([unsure := task()]) == []
        assert monotonic() - began < PROMISED
        began = monotonic()
        assert not await rabbitmq.reachable()
        assert monotonic() - began < 2
        assert await rabbitmq.publish([unsure]) == []

        proxy.thaw()
        assert await rabbitmq.publish([unsure]) == [unsure.task_id]
        assert await rabbitmq.reachable()
        await rabbitmq.close()
    assert {message.message_id for message in await waiting(broker)} >= {unsure.task_id}


async def test_a_closed_connection_ends_waiting_publications(broker: VirtualHost) -> None:
    async with publishing_to_a_frozen_broker(broker) as (rabbitmq, publishing):
        assert not await rabbitmq.reachable()

        assert await publishing == []


async def test_a_publication_can_be_cancelled(broker: VirtualHost) -> None:
    async with publishing_to_a_frozen_broker(broker) as (_, publishing):
        publishing.cancel()

        with pytest.raises(asyncio.CancelledError):
            await publishing


async def test_a_broken_connection_is_replaced(broker: VirtualHost) -> None:
    proxy = Proxy(broker)
    async with proxy.running() as address:
        rabbitmq = RabbitMQBroker(address)
        await rabbitmq.publish([first := task()])
        proxy.cut()

        second, confirmed = task(), list[TaskId]()
        while not confirmed:
            confirmed = await rabbitmq.publish([second])

        assert confirmed == [second.task_id]
        await rabbitmq.close()
    assert (await waiting(broker))[0].message_id == first.task_id


async def test_an_unreachable_server_is_unavailable(unused_tcp_port: int) -> None:
    rabbitmq = RabbitMQBroker(Address("127.0.0.1", unused_tcp_port, "guest", Secret("guest"), "/"))

    assert await rabbitmq.publish([task()]) == []
    assert not await rabbitmq.reachable()
    await rabbitmq.close()


async def test_a_failed_connection_leaves_nothing_to_close(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="aiormq")  # a record of the failure would keep it
    nowhere = Address("127.0.0.1", unused_tcp_port, "guest", Secret("guest"), "/")

    def collect() -> None:
        """Where no loop runs: a connection first, and then what it has tried to close itself with."""
        for _ in range(2):
            gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await asyncio.to_thread(collect)  # what others have left
    failures = [*await asyncio.gather(connect(nowhere), return_exceptions=True)]

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        failures.clear()  # they know the connection
        await asyncio.to_thread(collect)
    assert [str(complaint.message) for complaint in complaints] == []


async def test_a_wrong_password_is_unavailable_and_not_logged(
    broker: VirtualHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rabbitmq = RabbitMQBroker(replace(broker.address, password=Secret("mistyped")))

    assert await rabbitmq.publish([task()]) == []
    assert not await rabbitmq.reachable()
    await rabbitmq.close()
    assert caplog.messages
    assert "mistyped" not in caplog.text


async def publish_at_last(rabbitmq: RabbitMQBroker, sent: PendingTask) -> None:
    """Retries like the relay: a node that has just started may still refuse connections."""
    async with asyncio.timeout(30):
        while await rabbitmq.publish([sent]) != [sent.task_id]:
            pass


async def test_confirmed_tasks_survive_a_killed_broker(rabbitmq_node: Node) -> None:
    broker = rabbitmq_node.broker
    rabbitmq = RabbitMQBroker(broker.address)
    before, missed, unsure = [task() for _ in range(100)], task(), task()
    assert await rabbitmq.publish(before) == [each.task_id for each in before]

    await asyncio.to_thread(rabbitmq_node.kill)
    assert await rabbitmq.publish([missed]) == []
    assert not await rabbitmq.reachable()

    await asyncio.to_thread(rabbitmq_node.start)
    await publish_at_last(rabbitmq, missed)
    await asyncio.to_thread(rabbitmq_node.freeze)
    assert await rabbitmq.publish([unsure]) == []
    await asyncio.to_thread(rabbitmq_node.thaw)
    await publish_at_last(rabbitmq, unsure)
    assert await rabbitmq.reachable()
    await rabbitmq.close()

    arrived = list(dict.fromkeys(message.message_id for message in await waiting(broker)))
    assert arrived == [each.task_id for each in [*before, missed, unsure]]
