"""Processes that are killed while artworks are stored or checked."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx
import pytest

from tests.end_to_end.artists import become_artist, offer_style, picture
from tests.end_to_end.service import Person
from tests.end_to_end.service import Service as Url
from tests.end_to_end.test_run import Machine, Service

LOCK_AWAITED = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
DAY = 24 * 60 * 60
HELD_AT_THE_SEVENTH = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END
$$;
CREATE TRIGGER held BEFORE UPDATE ON artwork_uploads FOR EACH ROW
WHEN (NEW.index = 6 AND NEW.passed IS NOT NULL) EXECUTE FUNCTION hold();
"""
"""Until the advisory lock is free."""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with TemporaryDirectory(prefix="style-license-") as folder:
        yield Machine(Path(folder))


@pytest.fixture
async def sql(own_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(own_database_url)
    yield connection
    await connection.close()


@asynccontextmanager
async def serving(machine: Machine, url: str) -> AsyncIterator[tuple[Service, Person]]:
    """A service on this database, and an artist."""
    async with (
        machine.command("run", DATABASE_URL=url, AI_SERVERS="none") as process,
        httpx.AsyncClient(base_url=machine.url, timeout=60, trust_env=False) as browser,
    ):
        service = Service(process, browser)
        await service.first_answer()
        artist = Person(Url(machine.url), browser)
        await artist.sign_in("mia@example.com")
        await become_artist(artist)
        yield service, artist


async def until_locked_out(sql: "asyncpg.Connection[Any]") -> None:
    """Until somebody waits for what this connection has locked."""
    async with asyncio.timeout(60):
        while not await sql.fetchval(LOCK_AWAITED):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)


def objects(machine: Machine, folder: str) -> list[Path]:
    return [path for path in (machine.data / "media" / "objects" / folder).rglob("*") if path.is_file()]


async def maintenance(machine: Machine, url: str) -> None:
    status, output = await machine.outcome("maintenance", DATABASE_URL=url)
    assert status == 0, output


async def test_objects_of_an_uncommitted_style_are_removed(
    machine: Machine, own_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    async with serving(machine, own_database_url) as (service, artist):
        transaction = sql.transaction()
        await transaction.start()
        await sql.execute("SELECT FROM artists FOR UPDATE")
        creating = asyncio.create_task(offer_style(artist))
        await until_locked_out(sql)  # everything is stored by now
        assert len(objects(machine, "training")) == 20
        await service.stop(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await creating
        await transaction.rollback()
    assert await sql.fetchval("SELECT count(*) FROM styles") == 0

    await maintenance(machine, own_database_url)
    assert len(objects(machine, "training")) == 20  # too young: a process might be about to commit
    for path in objects(machine, ""):
        os.utime(path, (path.stat().st_mtime - 2 * DAY,) * 2)
    await sql.execute("UPDATE blob_walks SET begun_at = begun_at - interval '2 days'")
    await maintenance(machine, own_database_url)
    assert objects(machine, "training") == []
    assert objects(machine, "samples") == []
    assert len(objects(machine, "signatures")) == 1


async def test_a_check_continues_in_another_process(
    machine: Machine, own_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    async with serving(machine, own_database_url) as (service, artist):
        pictures = [picture(index) for index in range(10)]
        files = [{"name": name, "content_type": kind, "size": len(content)} for name, content, kind in pictures]
        uploads = await artist.ask("POST", "/api/styles/uploads", json={"files": files})
        for upload, (_, content, _) in zip(uploads, pictures, strict=True):
            sent = await artist.browser.request(
                upload["method"], upload["upload_url"], headers=upload["headers"], content=content
            )
            assert sent.status_code == 204
        await sql.execute(HELD_AT_THE_SEVENTH)
        await sql.execute("SELECT pg_advisory_lock(1)")
        fields = {"name": "Ink", "generation_cost_tokens": 1, "upload_ids": [one["upload_id"] for one in uploads]}
        style = await artist.ask("POST", "/api/styles", json=fields)
        await until_locked_out(sql)
        await service.stop(signal.SIGKILL)
        await sql.execute("SELECT pg_advisory_unlock(1)")
    assert await sql.fetchval("SELECT passed FROM artwork_checks") == 6

    await maintenance(machine, own_database_url)
    assert await sql.fetchval("SELECT passed FROM artwork_checks") == 6  # the dead process may be alive
    await sql.execute("UPDATE artwork_checks SET claimed_until = now()")
    await maintenance(machine, own_database_url)
    assert await sql.fetchval("SELECT count(*) FROM artwork_checks") == 0
    assert await sql.fetchval("SELECT count(*) FROM artworks WHERE version_id = $1", style["id"]) == 10
    assert await sql.fetchval("SELECT count(*) FROM outbox") == 1
    assert objects(machine, "uploads") == []
