from datetime import datetime, timedelta

import pytest

from core.accounts.errors import SessionNotFound
from core.accounts.model import SESSION_LIFETIME, Session, User
from core.accounts.views import SessionView
from core.identifiers import SessionId
from core.paging import Page, PageRequest
from core.ports.active_sessions import SEEN_INTERVAL
from tests.contracts.overlap import Work, commit, race
from tests.support.scope import Scope
from tests.support.world import World

PHONE, LAPTOP = b"1" * 32, b"2" * 32


async def test_sessions_are_listed_newest_first_in_pages(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    phone, laptop = await signed_in(world, ann, PHONE), await signed_in(world, ann, LAPTOP)
    await signed_in(world, bob, b"3" * 32)

    first = await listed(world, ann, current=PHONE, limit=1)
    second = await listed(world, ann, current=PHONE, page=PageRequest(1, first.next))

    assert first.rows == [view(laptop, current=False)]
    assert second.rows == [view(phone, current=True)]
    assert second.next is None


async def test_expired_sessions_are_not_listed(world: World) -> None:
    ann = await world.user("ann")
    await signed_in(world, ann, PHONE)
    world.clock.advance(SESSION_LIFETIME)
    assert (await listed(world, ann)).rows == []


async def test_an_own_session_is_revoked(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    phone, _ = await signed_in(world, ann, PHONE), await signed_in(world, ann, LAPTOP)

    with pytest.raises(SessionNotFound):
        await commit(world, lambda ports: ports.sessions.end_of_user(bob.id, phone.id))
    assert await active(world, PHONE)

    assert await commit(world, lambda ports: ports.sessions.end_of_user(ann.id, phone.id)) == PHONE
    assert not await active(world, PHONE)
    assert await active(world, LAPTOP)
    with pytest.raises(SessionNotFound):
        await commit(world, lambda ports: ports.sessions.end_of_user(ann.id, phone.id))


async def test_all_sessions_but_one_are_revoked(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    for user, token_hash in ((ann, PHONE), (ann, LAPTOP), (ann, b"3" * 32), (bob, b"4" * 32)):
        await signed_in(world, user, token_hash)

    assert await commit(world, lambda ports: ports.sessions.end_all(ann.id, keep=PHONE)) == 2
    assert [await active(world, each * 32) for each in (b"1", b"2", b"3", b"4")] == [True, False, False, True]
    assert await commit(world, lambda ports: ports.sessions.end_all(ann.id)) == 1


async def test_a_renewal_extends_the_session(world: World) -> None:
    ann = await world.user("ann")
    session = await signed_in(world, ann, PHONE)
    seen = world.clock.advance(SEEN_INTERVAL)

    await commit(world, lambda ports: ports.sessions.renew(PHONE, at=seen))

    [shown] = (await listed(world, ann)).rows
    assert (shown.created_at, shown.last_seen_at, shown.expires_at) == (
        session.created_at,
        seen,
        seen + SESSION_LIFETIME,
    )
    found = await world.scope().sessions.active(PHONE, at=seen)
    assert found is not None
    assert found.last_seen_at == seen


async def test_a_session_is_renewed_once_within_the_interval(world: World) -> None:
    ann = await world.user("ann")
    began = (await signed_in(world, ann, PHONE)).created_at
    for later in (SEEN_INTERVAL - timedelta(microseconds=1), SEEN_INTERVAL, SEEN_INTERVAL * 1.5):
        await commit(world, renewing(PHONE, began + later))

    [shown] = (await listed(world, ann)).rows
    assert shown.last_seen_at == began + SEEN_INTERVAL


async def test_a_revoked_or_expired_session_is_not_renewed(world: World) -> None:
    ann = await world.user("ann")
    await signed_in(world, ann, PHONE)
    await signed_in(world, ann, LAPTOP)
    await commit(world, lambda ports: ports.sessions.end(LAPTOP))
    late = world.clock.advance(SESSION_LIFETIME)

    for token_hash in (PHONE, LAPTOP):
        await commit(world, renewing(token_hash, late))

    assert not await active(world, PHONE)
    assert not await active(world, LAPTOP)


async def test_a_session_that_is_revoked_meanwhile_stays_revoked(world: World, sent: bool) -> None:
    ann = await world.user("ann")
    await signed_in(world, ann, PHONE)
    seen = world.clock.advance(SEEN_INTERVAL)

    await race(
        world,
        lambda ports: ports.sessions.end(PHONE),
        lambda ports: ports.sessions.renew(PHONE, at=seen),
        sent=sent,
    )

    assert not await active(world, PHONE)


async def signed_in(world: World, user: User, token_hash: bytes) -> Session:
    session = Session.start(
        await world.ids.session(), token_hash, user.id, at=world.clock.advance(), user_agent="Mozilla/5.0"
    )

    async def add(ports: Scope) -> None:
        await ports.sessions.add(session)

    await commit(world, add)
    return session


def renewing(token_hash: bytes, at: datetime) -> Work:
    return lambda ports: ports.sessions.renew(token_hash, at=at)


async def active(world: World, token_hash: bytes) -> bool:
    return await world.scope().sessions.active(token_hash, at=world.clock.now()) is not None


async def listed(
    world: World, user: User, *, current: bytes = b"", limit: int = 20, page: PageRequest | None = None
) -> Page[SessionView]:
    page = page or PageRequest(limit)
    return await world.read.accounts.sessions(user.id, current=current, at=world.clock.now(), page=page)


def view(session: Session, *, current: bool) -> SessionView:
    return SessionView(
        SessionId(session.id),
        session.created_at,
        session.last_seen_at,
        session.expires_at,
        session.user_agent,
        current,
    )
