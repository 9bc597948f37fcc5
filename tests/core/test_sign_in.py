import hashlib
from datetime import timedelta

import pytest

from core.accounts.errors import UsernameTaken
from core.accounts.model import username_from
from core.accounts.sign_in import SignedIn, SignIn, token_hash
from core.accounts.sign_out import SignOut
from core.paging import PageRequest
from core.ports.identity_provider import Identity
from core.tokens.views import TransactionFilter
from tests.core.failing import Interrupted
from tests.support.memory_world import MemoryWorld

MIN_JUN = Identity("google", "107", "min.jun@example.com", "Min-jun Kim", "https://pictures.example/1")
TWIN = Identity("google", "108", "min.jun@example.org", "Another", None)


async def test_the_first_sign_in_creates_a_user_with_welcome_tokens(world: MemoryWorld) -> None:
    signed_in = await sign_in(world, MIN_JUN)

    assert signed_in.is_new
    me = await world.read.accounts.me(signed_in.user_id)
    assert (me.username, me.email, me.role) == ("min.jun", "min.jun@example.com", "user")
    assert (me.profile_image, me.created_at, me.artist) == ("https://pictures.example/1", world.clock.now(), None)
    assert me.token_balance == 100
    page = await world.read.tokens.transactions(signed_in.user_id, type=TransactionFilter.ALL, page=PageRequest())
    assert [(line.type, line.direction, line.amount, line.memo) for line in page.rows] == [
        ("bonus", "in", 100, "Welcome to Style License")
    ]


async def test_a_session_is_opened_and_its_token_is_not_stored(world: MemoryWorld) -> None:
    signed_in = await sign_in(world, MIN_JUN, user_agent="x" * 501)

    hashed = token_hash(signed_in.token)
    assert hashed == hashlib.sha256(signed_in.token.encode()).digest()
    [session] = world.database.tables.sessions.values()
    now = world.clock.now()
    assert (session.token_hash, session.user_id, session.user_agent) == (hashed, signed_in.user_id, "x" * 500)
    assert (session.created_at, session.expires_at) == (now, now + timedelta(days=14))
    requester = await world.scope().sessions.requester(hashed, at=now)
    assert requester is not None
    assert requester.id == signed_in.user_id


async def test_a_second_sign_in_finds_the_user_and_grants_no_tokens(world: MemoryWorld) -> None:
    first = await sign_in(world, MIN_JUN)
    second = await sign_in(world, MIN_JUN)

    assert (second.user_id, second.is_new) == (first.user_id, False)
    assert second.token != first.token
    assert (await world.read.accounts.me(first.user_id)).token_balance == 100
    for signed_in in (first, second):
        hashed = token_hash(signed_in.token)
        assert await world.scope().sessions.requester(hashed, at=world.clock.now()) is not None


async def test_the_same_email_at_another_provider_is_another_user(world: MemoryWorld) -> None:
    first = await sign_in(world, MIN_JUN)
    other = await sign_in(world, Identity("other", MIN_JUN.subject, MIN_JUN.email, None, None))

    assert other.is_new
    assert other.user_id != first.user_id


async def test_a_taken_username_gets_a_suffix(world: MemoryWorld) -> None:
    await sign_in(world, MIN_JUN)
    twin = await sign_in(world, TWIN)

    assert (await world.read.accounts.me(twin.user_id)).username == "min.jun-000001"


async def test_two_concurrent_first_sign_ins_create_one_user(world: MemoryWorld) -> None:
    others: list[SignedIn] = []

    async def meanwhile() -> None:
        others.append(await sign_in(world, MIN_JUN))

    ids = Interrupted(world.ids, "user", meanwhile)
    one = await world.use_case(SignIn, ids=ids)(MIN_JUN, user_agent="")

    [other] = others
    assert (one.user_id, one.is_new, other.is_new) == (other.user_id, False, True)
    assert (await world.read.accounts.me(one.user_id)).token_balance == 100
    assert len(world.database.tables.users) == 1
    for signed_in in (one, other):
        hashed = token_hash(signed_in.token)
        assert await world.scope().sessions.requester(hashed, at=world.clock.now()) is not None


async def test_losing_a_race_for_a_username_takes_another(world: MemoryWorld) -> None:
    scope = world.scope()
    users = Interrupted(scope.users, "add", lambda: sign_in(world, TWIN))
    signing_in = world.use_case(
        SignIn, transaction=scope.transaction, users=users, sessions=scope.sessions, ledger=scope.ledger
    )

    signed_in = await signing_in(MIN_JUN, user_agent="")

    assert signed_in.is_new
    assert (await world.read.accounts.me(signed_in.user_id)).username == "min.jun-000001"
    assert (await world.read.accounts.me(signed_in.user_id)).token_balance == 100


async def test_losing_every_race_for_a_username_is_refused(world: MemoryWorld) -> None:
    await world.user("min.jun")
    await world.user("min.jun-always")

    class Unlucky:
        def token(self) -> str:
            return world.secrets.token()

        def suffix(self) -> str:
            return "always"

    with pytest.raises(UsernameTaken):
        await world.use_case(SignIn, secrets=Unlucky())(MIN_JUN, user_agent="")
    assert len(world.database.tables.users) == 2
    assert not world.database.tables.sessions


async def test_signing_out_ends_only_that_session(world: MemoryWorld) -> None:
    first, second = await sign_in(world, MIN_JUN), await sign_in(world, MIN_JUN)

    for _ in range(2):
        await world.use_case(SignOut)(first.token)

    sessions, now = world.scope().sessions, world.clock.now()
    assert await sessions.requester(token_hash(first.token), at=now) is None
    assert await sessions.requester(token_hash(second.token), at=now) is not None


@pytest.mark.parametrize(
    ("email", "name", "username"),
    [
        ("min.jun@example.com", "Other", "min.jun"),
        ("Min+Jun!@example.com", None, "min-jun"),
        ("_.min.-@example.com", None, "min"),
        ("abcdefghijklmnopqrstuvwxyz@example.com", None, "abcdefghijklmnopqrstuvw"),
        (None, "Min-jun Kim", "min-jun-kim"),
        (None, "김민준", "user"),
        (None, None, "user"),
        ("a@example.com", None, "user-a"),
        ("support@example.com", None, "user-support"),
        ("민준@example.com", "Min", "user"),
    ],
)
def test_usernames_are_derived_from_emails(email: str | None, name: str | None, username: str) -> None:
    assert username_from(email, name) == username


async def sign_in(world: MemoryWorld, identity: Identity, *, user_agent: str = "Mozilla/5.0") -> SignedIn:
    return await world.use_case(SignIn)(identity, user_agent=user_agent)
