"""Sessions and rate limits in one step."""

import asyncio
from datetime import timedelta

import pytest

from core.accounts.model import SESSION_LIFETIME, User
from core.ports.admission import Admission
from core.ports.rate_limiter import Limit, RateLimiter
from core.requester import Requester, Role
from tests.contracts.test_sessions import LAPTOP, PHONE, signed_in
from tests.support.world import World

KEY = "calls:user:"
TWO = Limit(2, timedelta(minutes=1))


@pytest.fixture
def admission(world: World) -> Admission:
    admission: Admission = world.scope().parts.get(Admission)
    return admission


async def counted(world: World, user: User) -> int:
    limiter: RateLimiter = world.scope().parts.get(RateLimiter)
    return TWO.calls - 1 - (await limiter.hit(f"{KEY}{user.id}", TWO)).remaining


async def test_a_call_with_a_session_is_counted_for_its_user(world: World, admission: Admission, mia: User) -> None:
    session = await signed_in(world, mia, PHONE)

    admitted = await admission.admit(PHONE, KEY, TWO, at=world.clock.now())

    assert admitted is not None
    found, allowance = admitted
    assert found.requester == Requester(mia.id, Role.ARTIST, is_artist=True)
    assert found.last_seen_at == session.created_at
    assert (allowance.allowed, allowance.limit, allowance.remaining) == (True, 2, 1)
    assert await counted(world, mia) == 1


async def test_a_call_without_a_session_in_force_is_not_counted(world: World, admission: Admission, ann: User) -> None:
    await signed_in(world, ann, PHONE)
    world.clock.advance(SESSION_LIFETIME)

    assert await admission.admit(PHONE, KEY, TWO, at=world.clock.now()) is None
    assert await admission.admit(LAPTOP, KEY, TWO, at=world.clock.now()) is None

    assert await counted(world, ann) == 0


async def test_all_sessions_of_a_user_share_a_limit(world: World, admission: Admission, ann: User) -> None:
    await signed_in(world, ann, PHONE)
    await signed_in(world, ann, LAPTOP)

    calls = [admission.admit(token, KEY, TWO, at=world.clock.now()) for token in (PHONE, LAPTOP) * 4]
    admitted = [found for found in await asyncio.gather(*calls) if found]

    assert {session.requester.id for session, _ in admitted} == {ann.id}
    assert sorted(allowance.allowed for _, allowance in admitted) == [False] * 6 + [True] * 2


async def test_each_user_has_a_limit_of_their_own(world: World, admission: Admission, ann: User, mia: User) -> None:
    await signed_in(world, ann, PHONE)
    await signed_in(world, mia, LAPTOP)

    calls = [admission.admit(token, KEY, TWO, at=world.clock.now()) for token in (PHONE, LAPTOP, PHONE, LAPTOP)]
    admitted = await asyncio.gather(*calls)

    assert [found and (found[0].requester.id, found[1].remaining) for found in admitted] == [
        (ann.id, 1),
        (mia.id, 1),
        (ann.id, 0),
        (mia.id, 0),
    ]
