"""Concurrent calls are sent as one statement, and each caller gets its own answer."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from adapters.postgres.admission import ADMIT
from adapters.postgres.batching import MAX_BATCH, Batcher
from adapters.postgres.generations import ADVANCE, LOCK
from adapters.postgres.pool import Pool, create_pool
from adapters.postgres.rate_limits import COUNT
from adapters.postgres.statements import listing, lookup
from core.accounts.model import User
from core.community.like_generation import LikeGeneration
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.generations.views import FeedQuery
from core.paging import PageRequest
from core.ports.admission import Admission
from core.ports.database import DatabaseUnavailable
from core.ports.rate_limiter import Limit
from core.ports.transaction import OutcomeUnknown
from core.styles.model import Style
from core.styles.views import StyleQuery
from core.tokens.errors import InsufficientTokens
from tests.adapters.postgres.counting import counted
from tests.adapters.postgres.test_plans import LISTS, SINGLE
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_sessions import LAPTOP, PHONE, signed_in

SQUARE = lookup({"number": "bigint"}, "SELECT input.number * input.number AS square WHERE input.number > 0")
DOWN_FROM = listing(("bigint",), "SELECT id FROM generate_series(1, input.value1) AS id", "id DESC")
LOSE_CONNECTION = """
CREATE FUNCTION lose_connection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NULL;
END $$;
CREATE TRIGGER lose_connection AFTER INSERT ON outbox EXECUTE FUNCTION lose_connection();
"""


class Recorder:
    """Records batches, and sends them when the test allows it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def send(self, calls: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(calls))
        await self.gate.wait()
        return [ValueError(str(call)) if call < 0 else call * 10 for call in calls]


async def started(batcher: Batcher[int, int], *calls: int) -> list["asyncio.Task[int]"]:
    tasks = [asyncio.ensure_future(batcher(call)) for call in calls]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


# --- batches ----------------------------------------------------------------------------------------------------------


async def test_calls_that_arrive_meanwhile_form_the_next_batch() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.send)

    first = await started(batcher, 1)
    assert recorder.batches == [[1]]
    others = await started(batcher, 2, 3, 4)
    assert recorder.batches == [[1]]
    recorder.gate.set()

    assert await asyncio.gather(*first, *others) == [10, 20, 30, 40]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_concurrent_calls_share_a_batch_up_to_its_size() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder.send)

    assert await asyncio.gather(*(batcher(call) for call in range(MAX_BATCH + 1))) == [
        call * 10 for call in range(MAX_BATCH + 1)
    ]

    assert [len(batch) for batch in recorder.batches] == [MAX_BATCH, 1]


async def test_each_caller_gets_its_own_outcome() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batcher = Batcher(recorder.send)

    outcomes = await asyncio.gather(batcher(1), batcher(-2), batcher(3), return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["10", "-2", "30"]


async def test_an_error_of_a_batch_is_raised_to_each_caller() -> None:
    fails = True

    async def send(calls: Sequence[int]) -> list[int]:
        if fails:
            raise DatabaseUnavailable
        return list(calls)

    batcher = Batcher(send)
    outcomes = await asyncio.gather(batcher(1), batcher(2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 2

    fails = False
    assert await batcher(3) == 3


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.send)
    first, second = await started(batcher, 1, 2)
    waiting, other = await started(batcher, 3, 4)

    first.cancel()
    waiting.cancel()
    recorder.gate.set()

    assert [await second, await other] == [20, 40]
    assert recorder.batches == [[1, 2], [4]]


# --- lookups ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, max_size=4) as opened:
        yield opened


async def test_concurrent_lookups_are_one_statement(pool: Pool) -> None:
    async with counted(pool, 1):
        rows = await asyncio.gather(*(pool.row(SQUARE, number) for number in (3, -1, 2, 3)))

    assert [row and row["square"] for row in rows] == [9, None, 4, 9]


async def test_each_caller_gets_its_own_page_in_order(pool: Pool) -> None:
    async with counted(pool, 1):
        pages = await asyncio.gather(*(pool.rows(DOWN_FROM, number) for number in (3, 0, 2)))

    assert [[row["id"] for row in page] for page in pages] == [[3, 2, 1], [], [2, 1]]


TWO_A_MINUTE = Limit(2, timedelta(minutes=1))
SENT_TOGETHER = "WITH ORDINALITY AS input ("
COMPARED = 5
"""Executions that PostgreSQL plans for their arguments, to compare them with a plan for any."""


async def test_statements_for_several_calls_are_planned_once(crowded_url: str) -> None:
    """Planning takes longer than most of them take."""
    async with create_pool(crowded_url, max_size=1) as pool:
        for look in (LISTS | SINGLE).values():
            await look(PostgresWorld(pool), PageRequest())
        prepared = await pool.fetch("SELECT statement FROM pg_prepared_statements")
        shown = {row["statement"] for row in prepared if SENT_TOGETHER in row["statement"]}
        assert len(shown) >= 10

        for sql in (*shown, ADMIT.sql, COUNT, LOCK.sql, ADVANCE.sql):
            for _ in range(COMPARED + 1):
                await pool.fetch(sql, *[[]] * _arguments(sql))
        plans = await pool.fetch("SELECT statement, custom_plans FROM pg_prepared_statements")
    assert [
        row["statement"] for row in plans if SENT_TOGETHER in row["statement"] and row["custom_plans"] > COMPARED
    ] == []


def _arguments(sql: str) -> int:
    return len(set(re.findall(r"\$\d+", sql)))


# --- writes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(pool: Pool) -> PostgresWorld:
    return PostgresWorld(pool)


@pytest.fixture
async def style(world: PostgresWorld) -> Style:
    return await world.style(await world.artist())


async def request(world: PostgresWorld, user: User, style: Style) -> int:
    requested = await world.use_case(RequestGeneration)(user.id, NewGeneration(style.id, ["cat"]))
    return requested.id


async def test_concurrent_pages_are_one_statement_and_each_callers_own(
    world: PostgresWorld, pool: Pool, style: Style
) -> None:
    ann, bob = await world.user("ann", tokens=100), await world.user("bob")
    image = await world.image(ann, style, public=True)
    await world.use_case(LikeGeneration)(bob.id, image.id)
    read, page = world.read, PageRequest()

    async with counted(pool, 1):
        feeds = await asyncio.gather(
            *(read.generations.feed(FeedQuery(), viewer=who.id, page=page) for who in (ann, bob))
        )
    assert [feed.rows[0].is_liked for feed in feeds] == [False, True]

    async with counted(pool, 1):
        told = await asyncio.gather(
            *(read.notifications.list(who.id, unread_only=False, page=page) for who in (ann, bob))
        )
    assert [(len(found.rows), unread) for found, unread in told] == [(1, 1), (0, 0)]

    async with counted(pool, 1):
        listed = await asyncio.gather(*(read.styles.list(StyleQuery(), page=page) for _ in range(2)))
    assert [[card.id for card in cards.rows] for cards in listed] == [[style.id]] * 2

    tagged = FeedQuery(tags=["cat"])  # may take long to find
    async with counted(pool, 2):
        await asyncio.gather(*(read.generations.feed(tagged, viewer=who.id, page=page) for who in (ann, bob)))


async def test_concurrent_calls_are_admitted_by_one_statement(world: PostgresWorld, pool: Pool) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    await signed_in(world, ann, PHONE)
    await signed_in(world, bob, LAPTOP)
    admission: Admission = world.scope().parts.get(Admission)

    async with counted(pool, 1):
        admitted = await asyncio.gather(
            *(admission.admit(token, "calls:", TWO_A_MINUTE, at=world.clock.now()) for token in (PHONE, LAPTOP, b"?"))
        )

    assert [found and found[0].requester.id for found in admitted] == [ann.id, bob.id, None]


async def test_concurrent_requests_are_committed_by_one_statement(
    world: PostgresWorld, pool: Pool, style: Style
) -> None:
    buyers = [await world.user(f"buyer{number}", tokens=100) for number in range(8)]
    await request(world, buyers[0], style)  # ids are taken in blocks
    before = pool.round_trips

    ids = await asyncio.gather(*(request(world, buyer, style) for buyer in [*buyers, *buyers]))

    assert len(set(ids)) == 16
    assert pool.round_trips - before <= 5  # the offers, the writes, the queue's length, ids
    held = [(await world.funds(buyer.id)).held_tokens for buyer in buyers]
    assert held == [90, *[60] * 7]
    assert len(await world.tasks()) == 17


async def test_a_refused_call_does_not_affect_the_others_of_its_batch(world: PostgresWorld, style: Style) -> None:
    buyers = [await world.user(f"buyer{number}", tokens=0 if number == 3 else 100) for number in range(8)]

    outcomes = await asyncio.gather(*(request(world, buyer, style) for buyer in buyers), return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(outcome) for outcome in refused] == [InsufficientTokens]
    assert outcomes[3] is refused[0]
    assert refused[0].details == {"required": 30, "available": 0}  # type: ignore[attr-defined]
    assert len(await world.tasks()) == 7


async def test_a_wallet_shared_by_a_batch_never_goes_below_zero(world: PostgresWorld, style: Style) -> None:
    buyer = await world.user("buyer", tokens=100)

    outcomes = await asyncio.gather(*(request(world, buyer, style) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(outcome, int) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, InsufficientTokens) for outcome in outcomes) == 5
    balance = await world.funds(buyer.id)
    assert (balance.token_balance, balance.held_tokens) == (10, 90)


async def test_a_connection_lost_during_a_batch_is_outcome_unknown_for_all(
    world: PostgresWorld, style: Style, sql: "asyncpg.Connection[Any]"
) -> None:
    buyers = [await world.user(f"buyer{number}", tokens=100) for number in range(4)]
    await sql.execute(LOSE_CONNECTION)
    try:
        outcomes = await asyncio.gather(*(request(world, buyer, style) for buyer in buyers), return_exceptions=True)
    finally:
        await sql.execute("DROP FUNCTION lose_connection CASCADE")

    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 4
    assert await world.tasks() == []
