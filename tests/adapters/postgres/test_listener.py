import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from adapters.postgres import listener as module
from adapters.postgres.listener import Listener
from adapters.postgres.pool import Pool
from tests.support.ports import free_port

TIMEOUT = 20.0
"""Seconds."""


class Receiver:
    def __init__(self) -> None:
        self._payloads: asyncio.Queue[str | None] = asyncio.Queue()

    def __call__(self, payload: str | None) -> None:
        self._payloads.put_nowait(payload)

    async def receive(self) -> str | None:
        async with asyncio.timeout(TIMEOUT):
            return await self._payloads.get()


@pytest.fixture
async def listener(database_url: str) -> AsyncIterator[Listener]:
    opened = Listener(database_url)
    yield opened
    await opened.close()


async def connections(pool: Pool) -> int:
    listening = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return len(await pool.fetch(listening))


async def test_channels_share_a_connection(listener: Listener, pool: Pool) -> None:
    one, other = Receiver(), Receiver()
    listener.listen("one", one)
    assert await one.receive() is None
    listener.listen("other", other)
    assert await other.receive() is None

    pool.notifier.notify("other", "first")
    assert await other.receive() == "first"
    pool.notifier.notify("one", "second")
    assert await one.receive() == "second"
    assert await connections(pool) == 1


async def test_repeated_notifications_are_merged(listener: Listener, pool: Pool) -> None:
    receiver = Receiver()
    listener.listen("one", receiver)
    await receiver.receive()

    for word in ("a", "a", "b", "a"):
        pool.notifier.notify("one", word)
    assert {await receiver.receive(), await receiver.receive()} == {"a", "b"}
    pool.notifier.notify("one", "c")
    assert await receiver.receive() == "c"


async def test_an_unresponsive_connection_is_replaced(
    listener: Listener, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks drop connections without notice."""
    receiver, tries = Receiver(), iter([TimeoutError])

    async def answer(*_: Any) -> None:
        for error in tries:
            raise error

    monkeypatch.setattr(module, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(asyncpg.Connection, "fetchval", answer)
    listener.listen("one", receiver)
    assert await receiver.receive() is None
    assert await receiver.receive() is None

    pool.notifier.notify("one", "received")
    assert await receiver.receive() == "received"


async def test_listening_without_a_database_is_not_an_error() -> None:
    listener = Listener(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    listener.listen("one", Receiver())
    await asyncio.sleep(0)
    await listener.close()
