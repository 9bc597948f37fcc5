"""Dead letters: memory and a real RabbitMQ."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aio_pika
import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.rabbitmq.connection import DEAD_LETTER_QUEUE, Address
from adapters.rabbitmq.dead_letters import RabbitMQDeadLetters
from core.ports.dead_letters import DeadLetters, DeadLettersUnavailable
from core.secret import Secret
from tests.support.rabbitmq import VirtualHost, dead_letter


@dataclass(frozen=True, slots=True)
class Case:
    letters: DeadLetters
    dead_letter: Callable[[list[bytes]], Awaitable[None]]

    async def bodies(self) -> list[bytes]:
        return await looked_at(self.letters)


@pytest.fixture(params=["memory", "rabbitmq"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "memory":
        memory = MemoryDeadLetters()

        async def put_in_memory(bodies: list[bytes]) -> None:
            memory.bodies += bodies

        return Case(memory, put_in_memory)
    host: VirtualHost = request.getfixturevalue("broker")

    async def put_on_rabbitmq(bodies: list[bytes]) -> None:
        await dead_letter(host, bodies)

    return Case(RabbitMQDeadLetters(address_of(host)), put_on_rabbitmq)


async def looked_at(dead_letters: DeadLetters) -> list[bytes]:
    async with dead_letters.take(limit=100) as letters:
        return letters.bodies


def address_of(host: VirtualHost) -> Address:
    return host.address


async def test_removing_dead_letters_keeps_the_order_of_the_others(case: Case) -> None:
    await case.dead_letter([b"0", b"1", b"2", b"3", b"4"])

    async with case.letters.take(limit=4) as letters:
        assert letters.bodies == [b"0", b"1", b"2", b"3"]
        await letters.remove([1])
        await letters.remove([3])

    assert await case.bodies() == [b"0", b"2", b"4"]


async def test_a_failed_pass_keeps_dead_letters_that_were_not_removed(case: Case) -> None:
    await case.dead_letter([b"0", b"1"])

    async def fail() -> None:
        async with case.letters.take(limit=10) as letters:
            await letters.remove([0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await case.bodies() == [b"1"]


async def test_concurrent_readers_get_different_messages(case: Case) -> None:
    await case.dead_letter([b"0", b"1", b"2"])

    async with case.letters.take(limit=2) as one, case.letters.take(limit=2) as other:
        assert (one.bodies, other.bodies) == ([b"0", b"1"], [b"2"])

    assert sorted(await case.bodies()) == [b"0", b"1", b"2"]


async def test_an_empty_dead_letter_queue(case: Case) -> None:
    await case.dead_letter([])

    assert await case.bodies() == []
    assert await case.letters.count() == 0


async def test_dead_letters_are_counted(case: Case) -> None:
    await case.dead_letter([b"0", b"1", b"2"])

    assert await case.letters.count() == 3
    async with case.letters.take(limit=2):
        assert await case.letters.count() == 1


async def test_an_unavailable_broker_is_reported(unused_tcp_port: int) -> None:
    nowhere = RabbitMQDeadLetters(Address("127.0.0.1", unused_tcp_port, "guest", Secret("guest"), "/"))

    with pytest.raises(DeadLettersUnavailable):
        await looked_at(nowhere)
    with pytest.raises(DeadLettersUnavailable):
        await nowhere.count()


async def test_an_undeclared_queue_is_reported(broker: VirtualHost) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        await (await connection.channel()).queue_delete(DEAD_LETTER_QUEUE)

    with pytest.raises(DeadLettersUnavailable, match="`dead` is not declared"):
        await looked_at(RabbitMQDeadLetters(address_of(broker)))
    with pytest.raises(DeadLettersUnavailable, match="`dead` is not declared"):
        await RabbitMQDeadLetters(address_of(broker)).count()
