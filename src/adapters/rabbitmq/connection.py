"""What the service and the AI servers agree on, and how long either waits for the broker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.connection import make_url
from aiormq.exceptions import AMQPError

from core.tasks.model import QUEUES, Queue

PATIENCE = 4.0
"""Seconds that the broker may take to let somebody in, and as many for what is asked of it then."""
GOODBYE = 1.0
"""Seconds for closing: a publisher that needs all three stays within the ten that it promises."""
HEARTBEAT = 10
"""Seconds between signs of life; a broker that misses two is taken for dead."""

DEAD = "dead"
"""The queue that the operator's policy leads to: what consumers rejected, or failed at too often."""

BROKEN = (AMQPError, ConnectionError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)
"""What a broker that is gone, frozen or unwilling looks like from here."""


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int
    user: str
    password: str
    vhost: str


async def connect(address: Address) -> AbstractConnection:
    """A connection that does not repair itself: whoever holds it throws it away and opens another."""
    url = make_url(
        host=address.host,
        port=address.port,
        login=address.user,
        password=address.password,
        virtualhost=address.vhost,
        heartbeat=HEARTBEAT,
    )
    connection = aio_pika.Connection(url)
    try:
        await connection.connect()
    except BaseException:
        await connection.close()  # there is nothing to close, but else it tries to when it is collected, without a loop
        raise
    return connection


async def declare_queues(channel: AbstractChannel, *queues: Queue) -> None:
    """All, unless some are named; plain and durable, as the consumers declare them too: any argument would refuse one
    side or the other."""
    for queue in queues or QUEUES:
        await channel.declare_queue(queue, durable=True)


@contextmanager
def shared_connection() -> Iterator[None]:
    """Around what waits for a connection that others may close: the library cancels it then, as if somebody had asked.

    Raises ConnectionAbortedError instead. Whoever really is cancelled stays so.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionAbortedError("the connection was given up meanwhile") from None


async def discard(connection: AbstractConnection) -> None:
    """Close, but do not insist: a frozen broker never says goodbye."""
    with suppress(*BROKEN), shared_connection():
        async with asyncio.timeout(GOODBYE):
            await connection.close()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[AbstractConnection]:
    async with asyncio.timeout(PATIENCE):
        connection = await connect(address)
    try:
        yield connection
    finally:
        await discard(connection)
