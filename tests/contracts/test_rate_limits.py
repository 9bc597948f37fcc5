import asyncio
from datetime import timedelta

import pytest

from adapters.memory.clock import ManualClock
from adapters.memory.rate_limits import MemoryRateLimiter
from adapters.postgres.rate_limits import PostgresRateLimiter, RateLimitCounts
from core.ports.database import DatabaseUsage
from core.ports.rate_limiter import Limit, RateLimiter
from tests.contracts.conftest import Pools

MINUTE = timedelta(minutes=1)
THREE = Limit(3, MINUTE)


@pytest.fixture
def clock() -> ManualClock:
    """At the start of a window."""
    clock = ManualClock()
    clock.advance(MINUTE - timedelta(seconds=clock.now().timestamp() % 60))
    return clock


@pytest.fixture
def memory_limiter(clock: ManualClock) -> MemoryRateLimiter:
    return MemoryRateLimiter(clock)


@pytest.fixture
async def postgres_limiter(database_url: str, pools: Pools, clock: ManualClock) -> PostgresRateLimiter:
    return PostgresRateLimiter(RateLimitCounts(await pools.on(database_url)), DatabaseUsage(), clock)


@pytest.fixture(params=["memory", "postgres"])
def limiter(request: pytest.FixtureRequest) -> RateLimiter:
    limiter: RateLimiter = request.getfixturevalue(f"{request.param}_limiter")
    return limiter


async def test_calls_are_allowed_up_to_the_limit(limiter: RateLimiter) -> None:
    outcomes = [await limiter.hit("user:1", THREE) for _ in range(5)]

    assert [outcome.allowed for outcome in outcomes] == [True, True, True, False, False]
    assert [outcome.remaining for outcome in outcomes] == [2, 1, 0, 0, 0]
    assert {outcome.limit for outcome in outcomes} == {3}


async def test_keys_are_independent(limiter: RateLimiter) -> None:
    for _ in range(3):
        await limiter.hit("user:1", THREE)

    assert (await limiter.hit("user:2", THREE)).allowed


async def test_concurrent_calls_stay_within_the_limit(limiter: RateLimiter) -> None:
    outcomes = await asyncio.gather(*(limiter.hit("user:1", THREE) for _ in range(32)))

    assert sum(outcome.allowed for outcome in outcomes) == 3


async def test_the_window_slides(limiter: RateLimiter, clock: ManualClock) -> None:
    for _ in range(3):
        await limiter.hit("user:1", THREE)

    clock.advance(MINUTE)
    assert not (await limiter.hit("user:1", THREE)).allowed  # the calls are just as old as the window is long
    clock.advance(MINUTE / 2)
    assert [(await limiter.hit("user:1", THREE)).allowed for _ in range(2)] == [True, False]
    clock.advance(MINUTE * 2)
    assert [(await limiter.hit("user:1", THREE)).allowed for _ in range(4)] == [True, True, True, False]


async def test_refused_calls_do_not_count(limiter: RateLimiter, clock: ManualClock) -> None:
    for _ in range(100):
        await limiter.hit("user:1", THREE)

    clock.advance(MINUTE + MINUTE / 2)
    assert (await limiter.hit("user:1", THREE)).allowed


async def test_a_refusal_says_when_the_window_ends(limiter: RateLimiter, clock: ManualClock) -> None:
    clock.advance(MINUTE / 4)
    *_, refused = [await limiter.hit("user:1", THREE) for _ in range(4)]

    assert refused.reset_after == 105
    clock.advance(timedelta(seconds=refused.reset_after))
    assert (await limiter.hit("user:1", THREE)).remaining == 2


async def test_expired_counts_are_removed(limiter: RateLimiter, clock: ManualClock) -> None:
    for _ in range(3):
        await limiter.hit("user:1", THREE)
    await limiter.hit("user:2", Limit(3, 3 * MINUTE))
    clock.advance(2 * MINUTE - timedelta(microseconds=1))
    assert await limiter.purge(limit=10) == 0

    clock.advance(timedelta(microseconds=1))
    assert await limiter.purge(limit=10) == 1

    assert (await limiter.hit("user:2", Limit(3, 3 * MINUTE))).remaining == 1


async def test_a_later_call_keeps_the_counts_for_longer(limiter: RateLimiter, clock: ManualClock) -> None:
    for _ in range(2):
        await limiter.hit("user:1", THREE)
        clock.advance(MINUTE)

    assert [await limiter.purge(limit=10)] == [0]
    clock.advance(MINUTE)
    assert await limiter.purge(limit=10) == 1


async def test_purging_counts_respects_the_limit(limiter: RateLimiter, clock: ManualClock) -> None:
    for user in range(5):
        await limiter.hit(f"user:{user}", THREE)
    clock.advance(2 * MINUTE)

    assert [await limiter.purge(limit=3) for _ in range(3)] == [3, 2, 0]
