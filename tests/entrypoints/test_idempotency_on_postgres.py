"""Concurrent calls with the same key on a real database, each on its own connection."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.postgres.pool import Pool, create_pool
from entrypoints.http import uploads_in_progress
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.pictures import picture
from tests.entrypoints.postgres_service import PostgresService

KEY = {"Idempotency-Key": "order 66"}
TWINS = 32


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=4) as opened:
        yield opened


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)


@pytest.fixture
async def service(world: PostgresWorld, database_url: str) -> AsyncIterator[PostgresService]:
    service = PostgresService(world, database_url)
    yield service
    await service.container.close()


def alike(answers: list[httpx.Response], status: int) -> None:
    """All are the first one's answer, and all but it say so."""
    said = {(answer.status_code, answer.content, answer.headers.get("location")) for answer in answers}
    assert {status} == {answer.status_code for answer in answers}
    assert len(said) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


async def test_concurrent_repeats_hold_the_price_once(
    service: PostgresService, world: PostgresWorld, pool: Pool
) -> None:
    style = await world.style(await world.artist())
    ann = await world.user("ann", tokens=100)
    body = {"style_id": style.id, "prompt_tags": ["cat"]}
    async with service.browser(ann) as browser:
        alike(
            await asyncio.gather(
                *(browser.post("/api/generations", json=body, headers=KEY) for _ in range(TWINS)),
            ),
            201,
        )
    held = await pool.fetch("SELECT count(*) AS holds FROM transfers WHERE phase = 'hold'")
    rows = await pool.fetch("SELECT id FROM generations")
    assert (held[0]["holds"], len(rows), len(await world.tasks())) == (1, 1, 1)
    assert (await world.funds(ann.id)).held_tokens == 30


async def test_concurrent_repeats_open_one_order(service: PostgresService, world: PostgresWorld, pool: Pool) -> None:
    async with service.browser(await world.user("ann")) as browser:
        body = {"package_id": "standard_500"}
        alike(
            await asyncio.gather(*(browser.post("/api/tokens/purchase", json=body, headers=KEY) for _ in range(8))), 201
        )
    assert len(await pool.fetch("SELECT FROM purchases")) == 1


async def test_concurrent_repeats_upgrade_once(
    service: PostgresService, world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response shows uncommitted changes, and the images of the repeated calls are removed."""
    monkeypatch.setattr(uploads_in_progress, "PER_USER", 8)
    form = {"artist_name": "Mina", "verified_email": "mina@example.com"}
    files = {"signature_image": ("signature.png", picture(), "image/png")}
    async with service.browser(await world.user("mina")) as browser:
        answers = await asyncio.gather(
            *(browser.post("/api/users/me/upgrade-to-artist", data=form, files=files, headers=KEY) for _ in range(8))
        )
    alike(list(answers), 201)
    assert answers[0].json()["data"]["artist"]["artist_name"] == "Mina"
    assert len(await world.blobs.keys("signatures/")) == 1


async def test_another_body_with_the_same_key_is_refused(service: PostgresService, world: PostgresWorld) -> None:
    style = await world.style(await world.artist())
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        bodies = [{"style_id": style.id, "prompt_tags": [tag]} for tag in ("cat", "dog")]
        answers = await asyncio.gather(*(browser.post("/api/generations", json=body, headers=KEY) for body in bodies))
        balance = (await browser.get("/api/tokens/balance")).json()["data"]
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert balance["held_tokens"] == 30
