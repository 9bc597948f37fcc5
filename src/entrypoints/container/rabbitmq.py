"""The broker: RabbitMQ."""

from collections.abc import AsyncIterator

import msgspec
from dishka import Provider, Scope

from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.rabbitmq.connection import Address
from adapters.rabbitmq.consumer import RabbitMQTaskSource
from adapters.rabbitmq.dead_letters import RabbitMQDeadLetters
from adapters.task_source import TaskSource
from core.ports.broker import Broker
from core.ports.dead_letters import DeadLetters
from entrypoints.settings import Settings


def rabbitmq() -> Provider:
    def address(settings: Settings) -> Address:
        chosen = settings.rabbitmq
        if chosen is None:
            raise ValueError("no RabbitMQ in the settings")
        return Address(**msgspec.structs.asdict(chosen))

    async def broker(address: Address) -> AsyncIterator[RabbitMQBroker]:
        opened = RabbitMQBroker(address)
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(address)
    provider.provide(broker, provides=Broker)
    provider.provide(RabbitMQTaskSource, provides=TaskSource)
    provider.provide(RabbitMQDeadLetters, provides=DeadLetters)
    return provider
