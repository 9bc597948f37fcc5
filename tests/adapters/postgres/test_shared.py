"""Blocks that lock a row first and then only write share a transaction, and each caller gets its own answer."""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from adapters.postgres.generations import LOCK, PostgresGenerations
from adapters.postgres.pool import Pool
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from core.accounts.model import User
from core.errors import DomainError
from core.generations.complete_generation import CompleteGeneration
from core.generations.errors import GenerationNotFound, ResultTaken
from core.generations.model import Generation
from core.identifiers import GenerationId
from core.ports.database import DatabaseUnavailable, DatabaseUsage
from core.ports.transaction import OutcomeUnknown
from core.styles.model import Style
from core.tasks.outcome import Outcome
from core.tokens.model import PlatformFee
from tests.contracts.postgres_world import PostgresWorld
from tests.support.world import TIME_LIMIT

LOSE_CONNECTION = """
CREATE FUNCTION lose_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lose_connection AFTER UPDATE ON generations DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION lose_connection();
"""
REFUSE_AT_COMMIT = """
CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'uq_transfers_hold_id';
END $$;
CREATE CONSTRAINT TRIGGER refuse_at_commit AFTER UPDATE ON generations DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.metadata ? 'bad') EXECUTE FUNCTION refuse_at_commit();
"""


@pytest.fixture
async def style(world: PostgresWorld) -> Style:
    return await world.style(await world.artist())


@pytest.fixture
async def buyer(world: PostgresWorld) -> User:
    return await world.user("buyer", tokens=1000)


@pytest.fixture
async def images(world: PostgresWorld, buyer: User, style: Style) -> list[Generation]:
    await world.ids.notification()  # ids are taken in blocks
    return [await world.generation(buyer, style) for _ in range(8)]


async def complete(world: PostgresWorld, image: GenerationId, name: object = None, **metadata: object) -> Outcome:
    url = world.blobs.uri(f"generations/{name or image}.png")
    return await world.use_case(CompleteGeneration)(image, result_url=url, metadata=metadata)


async def earned(world: PostgresWorld, style: Style) -> int | None:
    return (await world.funds(style.artist_id)).earned_token_balance


async def lock_awaited(world: PostgresWorld) -> None:
    async with asyncio.timeout(TIME_LIMIT):
        while not await world.lock_is_awaited():  # noqa: ASYNC110 - no database has an event for it
            await asyncio.sleep(0)


def paid(world: PostgresWorld, images: list[Generation]) -> int:
    return sum(image.consumed_tokens - world.fee.of(image.consumed_tokens) for image in images)


async def test_concurrent_completions_are_one_transaction(
    world: PostgresWorld, pool: Pool, style: Style, images: list[Generation]
) -> None:
    before = pool.round_trips

    outcomes = await asyncio.gather(*(complete(world, image.id) for image in images))

    await pool.notifier.wait_until_sent()
    assert pool.round_trips - before == 7  # begin, lock, savepoint, write, check, commit; and one notification
    assert all(outcome.applied for outcome in outcomes)
    assert await earned(world, style) == paid(world, images)


async def test_a_single_completion_needs_no_savepoint(
    world: PostgresWorld, pool: Pool, images: list[Generation]
) -> None:
    before = pool.round_trips

    assert (await complete(world, images[0].id)).applied

    await pool.notifier.wait_until_sent()
    assert pool.round_trips - before == 5  # begin, lock, write, commit; and the notification


async def test_a_refused_completion_does_not_affect_the_others(
    world: PostgresWorld, style: Style, images: list[Generation]
) -> None:
    await complete(world, images[0].id, "taken")

    outcomes = await asyncio.gather(
        *(complete(world, image.id, "taken" if image is images[3] else None) for image in images[1:]),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [Outcome, Outcome, ResultTaken, *[Outcome] * 4]
    assert await earned(world, style) == paid(world, images[1:])


async def test_a_refusal_at_the_commit_does_not_affect_the_others(
    world: PostgresWorld, style: Style, images: list[Generation], sql: "asyncpg.Connection[Any]"
) -> None:
    await sql.execute(REFUSE_AT_COMMIT)
    try:
        outcomes = await asyncio.gather(
            *(complete(world, image.id, **({"bad": True} if image is images[3] else {})) for image in images),
            return_exceptions=True,
        )
    finally:
        await sql.execute("DROP FUNCTION refuse_at_commit CASCADE")

    assert [isinstance(outcome, DomainError) for outcome in outcomes] == [image is images[3] for image in images]
    assert await earned(world, style) == paid(world, images[1:])


async def test_one_of_two_completions_of_a_generation_is_applied(
    world: PostgresWorld, style: Style, images: list[Generation]
) -> None:
    outcomes = await asyncio.gather(*(complete(world, image.id) for image in [images[0], *images[:2], images[0]]))

    assert [outcome.applied for outcome in outcomes] == [True, False, True, False]
    assert await earned(world, style) == paid(world, images[:2])


async def test_wallets_are_locked_in_one_order(
    world: PostgresWorld, style: Style, buyer: User, sql: "asyncpg.Connection[Any]"
) -> None:
    world.fee = PlatformFee(10)
    await world.ids.notification()  # ids are taken in blocks
    other = await world.user("other", tokens=1000)
    with_fee = await world.generation(other, style)
    without_fee = await world.generation(buyer, style, consumed_tokens=1)
    wallet = "SELECT FROM accounts WHERE kind = 'wallet' AND owner_id = $1 FOR NO KEY UPDATE"

    async with sql.transaction():
        await sql.execute("SET LOCAL deadlock_timeout = '10ms'")  # of two in a deadlock this one fails
        await sql.execute(wallet, buyer.id)
        completing = asyncio.gather(complete(world, without_fee.id), complete(world, with_fee.id))
        await lock_awaited(world)
        await sql.execute(wallet, other.id)

    assert all(outcome.applied for outcome in await completing)


async def test_a_missing_generation_affects_its_caller_only(world: PostgresWorld, images: list[Generation]) -> None:
    outcomes = await asyncio.gather(
        complete(world, images[0].id), complete(world, GenerationId(404)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Outcome, GenerationNotFound]


async def test_a_connection_lost_at_the_commit_is_outcome_unknown_for_all(
    world: PostgresWorld, style: Style, images: list[Generation], sql: "asyncpg.Connection[Any]"
) -> None:
    await sql.execute(LOSE_CONNECTION)
    try:
        outcomes = await asyncio.gather(*(complete(world, image.id) for image in images), return_exceptions=True)
    finally:
        await sql.execute("DROP FUNCTION lose_connection CASCADE")

    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 8
    assert await earned(world, style) == 0


async def test_a_connection_lost_at_the_lock_is_unavailable_for_all(
    world: PostgresWorld, images: list[Generation], sql: "asyncpg.Connection[Any]"
) -> None:
    async with sql.transaction():
        await sql.execute("SELECT FROM generations FOR UPDATE")
        calls = [asyncio.ensure_future(complete(world, image.id)) for image in images]
        await lock_awaited(world)
        await sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    assert (await complete(world, images[0].id)).applied


async def test_a_cancelled_caller_does_not_disturb_the_others(
    world: PostgresWorld, style: Style, images: list[Generation], sql: "asyncpg.Connection[Any]"
) -> None:
    async with sql.transaction():
        await sql.execute("SELECT FROM generations FOR UPDATE")
        first, second = (asyncio.ensure_future(complete(world, image.id)) for image in images[:2])
        await lock_awaited(world)
        late, other = (asyncio.ensure_future(complete(world, image.id)) for image in images[2:4])
        await asyncio.sleep(0)
        first.cancel()
        late.cancel()

    assert [(await second).applied, (await other).applied] == [True, True]
    assert first.cancelled()
    assert late.cancelled()
    assert await earned(world, style) == paid(world, [images[1], images[3]])


async def test_a_failed_block_leaves_the_shared_transaction(
    world: PostgresWorld, pool: Pool, images: list[Generation]
) -> None:
    transaction = PostgresTransaction(UnitOfWork(pool, DatabaseUsage()))
    with suppress(ZeroDivisionError):
        async with transaction:
            assert (await PostgresGenerations(transaction).lock_to_end(images[0].id)).id == images[0].id
            raise ZeroDivisionError

    assert (await complete(world, images[0].id)).applied


async def test_a_sharing_block_cannot_lock_rows(pool: Pool, images: list[Generation]) -> None:
    transaction = PostgresTransaction(UnitOfWork(pool, DatabaseUsage()))
    async with transaction:
        await transaction.locked_row(LOCK, images[0].id)
        with pytest.raises(RuntimeError, match="can only write"):
            await transaction.fetch("SELECT 1", lock=True)
