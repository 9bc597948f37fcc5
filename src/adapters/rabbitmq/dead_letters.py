import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from adapters.rabbitmq.connection import CONNECTION_ERRORS, DEAD_LETTER_QUEUE, RESPONSE_TIMEOUT, Address, connected
from core.ports.dead_letters import DeadLetters, DeadLettersUnavailable, Letters


class RabbitMQLetters(Letters):
    def __init__(self, messages: list[AbstractIncomingMessage]) -> None:
        self.bodies = [message.body for message in messages]
        self._messages = messages

    async def remove(self, indexes: list[int]) -> None:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                for index in indexes:
                    await self._messages[index].ack()
        except CONNECTION_ERRORS as error:
            raise DeadLettersUnavailable from error


class RabbitMQDeadLetters(DeadLetters):
    """The dead-letter queue DEAD_LETTER_QUEUE. Unacknowledged messages return to it when the connection ends."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @asynccontextmanager
    async def take(self, *, limit: int) -> AsyncIterator[Letters]:
        async with AsyncExitStack() as stack:
            with _translated_errors():
                connection = await stack.enter_async_context(connected(self._address))
                messages = await _messages(connection, limit)
            yield RabbitMQLetters(messages)

    async def count(self) -> int:
        with _translated_errors():
            async with connected(self._address) as connection, asyncio.timeout(RESPONSE_TIMEOUT):
                channel = await connection.channel()
                queue = await channel.declare_queue(DEAD_LETTER_QUEUE, passive=True)
                return queue.declaration_result.message_count or 0


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except ChannelNotFoundEntity as error:
        raise DeadLettersUnavailable(reason=f"the queue `{DEAD_LETTER_QUEUE}` is not declared") from error
    except CONNECTION_ERRORS as error:
        raise DeadLettersUnavailable from error


async def _messages(connection: AbstractConnection, limit: int) -> list[AbstractIncomingMessage]:
    async with asyncio.timeout(RESPONSE_TIMEOUT):
        queue = await (await connection.channel()).get_queue(DEAD_LETTER_QUEUE, ensure=False)
    messages: list[AbstractIncomingMessage] = []
    while len(messages) < limit and (message := await queue.get(fail=False, timeout=RESPONSE_TIMEOUT)) is not None:
        messages.append(message)
    return messages
