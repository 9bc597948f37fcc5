"""Queue declarations shared with the AI servers, and time-outs for the broker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.connection import make_url
from aiormq.exceptions import AMQPError

from core.secret import Secret
from core.tasks.model import QUEUES, Queue

RESPONSE_TIMEOUT = 4.0
"""Seconds to connect, and seconds for each request after that."""
CLOSE_TIMEOUT = 1.0
"""Seconds to close: a publisher that needs all three stays within the promised ten."""
HEARTBEAT = 10
"""Seconds between heartbeats; after two missed ones the connection is lost."""

DEAD_LETTER_QUEUE = "dead"
"""The dead-letter queue set by the operator's policy."""

CONNECTION_ERRORS = (AMQPError, ConnectionError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)
"""Errors of a broker that is unavailable, frozen or refusing."""


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int
    user: str
    password: Secret
    vhost: str
    tls: bool = False
    """Whether to connect by AMQPS; the server's certificate and name are verified."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's, in PEM."""


async def connect(address: Address) -> AbstractConnection:
    """A connection without automatic recovery: on errors it is discarded and replaced."""
    url = make_url(
        host=address.host,
        port=address.port,
        login=address.user,
        password=address.password.reveal(),
        virtualhost=address.vhost,
        ssl=address.tls,
        ssl_options={"cafile": str(address.ca_file)} if address.ca_file else None,
        heartbeat=HEARTBEAT,
    )
    connection = aio_pika.Connection(url)
    try:
        await connection.connect()
    except BaseException:
        await connection.close()  # without this it is closed when collected, without an event loop
        raise
    return connection


async def declare_queues(channel: AbstractChannel, *queues: Queue) -> None:
    """Declare the given queues, by default all; durable, without arguments, exactly as the consumers declare them."""
    for queue in queues or QUEUES:
        await channel.declare_queue(queue, durable=True)


@contextmanager
def shared_connection() -> Iterator[None]:
    """Around waiting on a connection that others may close: the library then cancels the waiting task.

    Raises ConnectionAbortedError instead. A genuine cancellation is re-raised.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionAbortedError("the connection attempt was abandoned meanwhile") from None


async def discard(connection: AbstractConnection) -> None:
    """Close with a time-out: a frozen broker does not respond."""
    with suppress(*CONNECTION_ERRORS), shared_connection():
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[AbstractConnection]:
    async with asyncio.timeout(RESPONSE_TIMEOUT):
        connection = await connect(address)
    try:
        yield connection
    finally:
        await discard(connection)
