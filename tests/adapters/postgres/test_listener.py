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


class Ear:
    def __init__(self) -> None:
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()

    def __call__(self, payload: str | None) -> None:
        self._heard.put_nowait(payload)

    async def hears(self) -> str | None:
        async with asyncio.timeout(TIMEOUT):
            return await self._heard.get()


@pytest.fixture
async def listener(database_url: str) -> AsyncIterator[Listener]:
    opened = Listener(database_url)
    yield opened
    await opened.close()


async def connections(pool: Pool) -> int:
    listening = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return len(await pool.fetch(listening))


async def test_channels_share_a_connection(listener: Listener, pool: Pool) -> None:
    one, other = Ear(), Ear()
    listener.listen("one", one)
    assert await one.hears() is None
    listener.listen("other", other)
    assert await other.hears() is None

    pool.notifier.notify("other", "first")
    assert await other.hears() == "first"
    pool.notifier.notify("one", "second")
    assert await one.hears() == "second"
    assert await connections(pool) == 1


async def test_repeated_notifications_are_merged(listener: Listener, pool: Pool) -> None:
    ear = Ear()
    listener.listen("one", ear)
    await ear.hears()

    for word in ("a", "a", "b", "a"):
        pool.notifier.notify("one", word)
    assert {await ear.hears(), await ear.hears()} == {"a", "b"}
    pool.notifier.notify("one", "c")
    assert await ear.hears() == "c"


async def test_a_connection_that_answers_no_more_is_made_anew(
    listener: Listener, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks forget connections without a word."""
    ear, tries = Ear(), iter([TimeoutError])

    async def answer(*_: Any) -> None:
        for error in tries:
            raise error

    monkeypatch.setattr(module, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(asyncpg.Connection, "fetchval", answer)
    listener.listen("one", ear)
    assert await ear.hears() is None
    assert await ear.hears() is None

    pool.notifier.notify("one", "heard")
    assert await ear.hears() == "heard"


async def test_listening_without_a_database_is_not_an_error() -> None:
    listener = Listener(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    listener.listen("one", Ear())
    await asyncio.sleep(0)
    await listener.close()
