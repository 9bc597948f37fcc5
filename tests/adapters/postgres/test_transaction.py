import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from adapters.postgres import (
    accounts,
    community,
    generations,
    notifications,
    purchases,
    style_versions,
    styles,
    tasks,
    tokens,
    withdrawals,
)
from adapters.postgres.accounts import PostgresUsers
from adapters.postgres.errors import REFUSALS
from adapters.postgres.pool import Pool
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.postgres.writes import Write, combined, insert
from core.accounts.errors import UsernameTaken
from core.accounts.model import User
from core.generations.model import Generation, Status
from core.notifications.errors import NotificationNotFound
from core.ports.database import DatabaseUnavailable, DatabaseUsage
from core.ports.transaction import OutcomeUnknown
from core.tokens.errors import InsufficientTokens
from tests.adapters.postgres.counting import counted
from tests.contracts.overlap import Block, commit
from tests.contracts.postgres_world import PostgresWorld
from tests.support.scope import Scope
from tests.support.world import World, gift, hold_for

LOSE_CONNECTION = "SELECT pg_terminate_backend(pg_backend_pid())"
WAIT_AT_COMMIT = """
CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_at_commit AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
"""

# --- one statement ----------------------------------------------------------------------------------------------------


def test_writes_are_combined_into_one_statement() -> None:
    one = Write("x", "x", "a AS (UPDATE x SET y = 1 FROM input_x)", finds="a", rule="a_found")
    other = Write("z", "w bigint, v text", "b AS (DELETE FROM z USING input_z)")

    assert combined((one, other)) == (
        "WITH input_x AS (SELECT * FROM jsonb_populate_recordset(NULL::x, $1)), "
        "a AS (UPDATE x SET y = 1 FROM input_x), "
        "input_z AS (SELECT * FROM jsonb_to_recordset($2) AS rows (w bigint, v text)), "
        "b AS (DELETE FROM z USING input_z) "
        "SELECT refuse('a_found') WHERE (SELECT count(*) FROM a) < (SELECT count(*) FROM input_x)"
    )
    assert combined((insert("x", ("y", "z")),)).endswith(
        "added_x AS (INSERT INTO x (y, z) SELECT y, z FROM input_x) SELECT"
    )


async def test_deferred_writes_take_one_round_trip(world: PostgresWorld, pool: Pool) -> None:
    ann, generation = await a_request(world)

    async with counted(pool, 1):
        await commit(world, requesting(world, generation))

    assert (await world.funds(ann.id)).held_tokens == generation.consumed_tokens


async def test_an_empty_block_sends_no_statement(world: PostgresWorld, pool: Pool) -> None:
    async with counted(pool, 0), world.scope().transaction:
        pass


async def test_reads_open_no_transaction_before_a_write_or_lock(world: PostgresWorld, pool: Pool) -> None:
    ann = await world.user("ann")

    async def read(ports: Scope) -> None:
        await ports.users.of_id(ann.id)
        await ports.users.of_id(ann.id)

    async def read_and_write(ports: Scope) -> None:
        await ports.users.of_id(ann.id)
        await ports.users.save(ann)

    async def write_and_read(ports: Scope) -> None:
        await ports.users.save(ann)
        await ports.users.of_id(ann.id)

    async def lock(ports: Scope) -> None:
        await ports.users.of_id(ann.id, lock=True)

    for work, round_trips in ((read, 2), (read_and_write, 2), (write_and_read, 4), (lock, 3)):
        async with counted(pool, round_trips):
            await commit(world, work)


async def test_two_writes_to_the_same_table_are_sent_in_order(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    ann = await world.user("ann")

    async def work(ports: Scope) -> None:
        await ports.ledger.transfer(gift(ann.id, 5, world))
        await ports.ledger.transfer(gift(ann.id, 7, world))
        await ports.users.save(edited(ann, world, bio="one"))
        await ports.users.save(edited(ann, world, bio="two"))

    await commit(world, work)

    assert (await world.funds(ann.id)).token_balance == 12
    assert await sql.fetchval("SELECT bio FROM users WHERE id = $1", ann.id) == "two"


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_every_mapped_constraint_exists(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    constraints = await sql.fetch(
        "SELECT conname AS name FROM pg_constraint UNION SELECT indexname FROM pg_indexes"
        r" UNION SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''(\w+)''', 'g'))[1] FROM pg_proc"
    )
    writes = [
        write
        for module in (
            accounts,
            community,
            generations,
            notifications,
            purchases,
            style_versions,
            styles,
            tasks,
            tokens,
            withdrawals,
        )
        for write in vars(module).values()
        if isinstance(write, Write)
    ]
    rules = {write.rule for write in writes if write.finds}

    assert rules <= REFUSALS.keys()
    assert REFUSALS.keys() - rules <= {row["name"] for row in constraints} | {"account_found", "user_found"}


async def test_a_write_without_a_row_rolls_back_the_others(world: PostgresWorld) -> None:
    ann = await world.user("ann")

    async def work(ports: Scope) -> None:
        await ports.users.save(edited(ann, world, bio="hello"))
        await ports.notifications.mark_read(ann.id, await world.ids.notification(), at=world.clock.now())
        await ports.ledger.transfer(gift(ann.id, 5, world))

    with pytest.raises(NotificationNotFound):
        await commit(world, work)

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""
    assert (await world.funds(ann.id)).token_balance == 0


async def test_insufficient_tokens_names_the_available_tokens(world: PostgresWorld) -> None:
    _, generation = await a_request(world, tokens=29)

    with pytest.raises(InsufficientTokens) as refused:
        await commit(world, requesting(world, generation))

    assert refused.value.details == {"required": 30, "available": 29}


async def test_an_unmapped_violation_is_raised_unchanged(world: PostgresWorld) -> None:
    ann = await world.user("ann")

    with pytest.raises(asyncpg.CheckViolationError):
        await commit(world, lambda ports: ports.users.save(msgspec.structs.replace(ann, role="unknown")))


# --- the commit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
async def test_a_refusal_by_a_deferred_constraint_fails_the_commit(world: PostgresWorld, begun: bool) -> None:
    """A hold of an ended generation is posted or voided; this is checked after all writes."""
    _, generation = await a_request(world)
    await commit(world, requesting(world, generation))
    accepted: list[Status] = []

    async def complete(ports: Scope) -> None:
        await ports.generations.save(
            generation.complete(at=world.clock.now(), result_key="generations/1.png", metadata={})
        )
        if begun:
            accepted.append((await ports.generations.of_id(generation.id)).status)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await commit(world, complete)

    assert accepted == ([Status.COMPLETED] if begun else [])
    assert refused.value.constraint_name == "generations_settle_as_ended"
    assert (await commit(world, lambda ports: ports.generations.of_id(generation.id))).status is Status.QUEUED


@pytest.mark.parametrize("begun", [False, True])
async def test_a_connection_lost_during_the_commit_is_outcome_unknown(
    world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]", begun: bool
) -> None:
    ann = await world.user("ann")
    called: list[bool] = []
    transaction = PostgresTransaction(UnitOfWork(pool, DatabaseUsage()))
    users = PostgresUsers(transaction)

    async def edit() -> None:
        async with transaction:
            if begun:
                await users.of_id(ann.id, lock=True)
            await users.save(edited(ann, world, bio="hello"))
            transaction.after_commit(lambda: called.append(True))

    await sql.execute(WAIT_AT_COMMIT)
    await sql.execute("SELECT pg_advisory_lock(1)")
    try:
        editing = asyncio.create_task(edit())
        while not (editing.done() or await world.lock_is_awaited()):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await terminate(sql, "wait_event_type = 'Lock'")
        with pytest.raises(OutcomeUnknown):
            await editing
    finally:
        await sql.execute("SELECT pg_advisory_unlock(1)")
        await sql.execute("DROP FUNCTION wait_at_commit CASCADE")

    assert called == []
    await commit(world, lambda ports: ports.users.save(edited(ann, world, bio="again")))


async def test_a_connection_lost_before_the_commit_is_database_unavailable(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    ann = await world.user("ann")

    async def work(ports: Scope) -> None:
        await ports.users.of_id(ann.id, lock=True)
        await ports.users.save(edited(ann, world, bio="hello"))
        await ports.users.of_id(ann.id)
        await terminate(sql, "state = 'idle in transaction'")
        await ports.users.of_id(ann.id)

    with pytest.raises(DatabaseUnavailable) as lost:
        await commit(world, work)

    assert not isinstance(lost.value, OutcomeUnknown)
    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""


async def test_a_database_lost_after_a_commit_is_outcome_unknown(world: PostgresWorld, pool: Pool) -> None:
    ann = await world.user("ann")
    unit = UnitOfWork(pool, DatabaseUsage())
    transaction = PostgresTransaction(unit)

    async with transaction:
        await PostgresUsers(transaction).of_id(ann.id)
    with pytest.raises(DatabaseUnavailable):
        await unit.fetch(LOSE_CONNECTION)

    async with transaction:
        await PostgresUsers(transaction).save(edited(ann, world, bio="hello"))
    with pytest.raises(OutcomeUnknown):
        await unit.fetch(LOSE_CONNECTION)


# --- the connection afterwards ----------------------------------------------------------------------------------------


async def test_a_cancelled_block_leaves_a_clean_connection(
    world: PostgresWorld, pool: Pool, sql: "asyncpg.Connection[Any]"
) -> None:
    ann = await world.user("ann")

    async def edit(ports: Scope) -> None:
        await ports.users.of_id(ann.id, lock=True)
        await ports.users.save(edited(ann, world, bio="hello"))
        await ports.users.of_id(ann.id)

    for _ in range(10):  # more often than there are connections
        holding = await Block(world, edit).open()
        waiting = await Block(world, edit).waits()
        for block in (waiting, holding):
            block.task.cancel()
            assert isinstance(await block.outcome(), asyncio.CancelledError)

    assert (await world.read.accounts.profile(ann.id, viewer=None)).bio == ""
    assert await open_transactions(sql) == []


async def test_a_refused_block_leaves_a_clean_connection(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    ann = await world.user("ann")
    await world.user("bob")

    async def rename(ports: Scope) -> None:
        await ports.users.of_id(ann.id, lock=True)
        await ports.users.save(edited(ann, world, username="bob"))

    for _ in range(10):
        with pytest.raises(UsernameTaken):
            await commit(world, rename)

    assert await open_transactions(sql) == []


async def test_reserving_ids_does_not_deadlock_the_pool(world: PostgresWorld) -> None:
    """Each keeps a connection while it waits for ids, which need one too."""
    people = [await world.user(f"user-{number}") for number in range(20)]

    async def work(person: User) -> None:
        scope = world.scope()
        async with scope.transaction:
            await scope.users.of_id(person.id, lock=True)
            for _ in range(100):
                await world.ids.notification()

    async with asyncio.timeout(10):
        await asyncio.gather(*(work(person) for person in people))


async def a_request(world: World, *, tokens: int = 300) -> tuple[User, Generation]:
    ann = await world.user("ann", tokens=tokens)
    return ann, await world.unsaved_generation(ann, await world.style(await world.artist("mia")))


def requesting(world: World, generation: Generation) -> Callable[[Scope], Awaitable[None]]:
    async def work(ports: Scope) -> None:
        await ports.ledger.hold(hold_for(generation))
        await ports.generations.add(generation)

    return work


def edited(user: User, world: World, *, username: str | None = None, bio: str = "") -> User:
    return user.edit(at=world.clock.now(), username=username or user.username, bio=bio, profile_image=None)


async def terminate(sql: "asyncpg.Connection[Any]", which: str) -> None:
    """End the sessions of this database of which that is true; return when they are gone."""
    ended = await sql.fetch(
        f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND {which}"
    )
    assert ended


async def open_transactions(sql: "asyncpg.Connection[Any]") -> list[str]:
    rows = await sql.fetch(
        "SELECT query FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    return [row["query"] for row in rows]
