import asyncio

import msgspec
import pytest

from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.errors import NotOneUser
from core.accounts.sign_in import SignedIn, SignIn
from core.identifiers import UserId
from core.ports.identity_provider import Identity, SignInFailed
from core.requester import Role
from tests.contracts.overlap import Block, commit
from tests.contracts.test_export import exported
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World


async def sign_in(world: World, email: str | None, *, subject: str = "mia") -> SignedIn:
    return await world.use_case(SignIn)(Identity("test", subject, email, "Mia", None), user_agent="")


async def email_of(world: World, user: UserId) -> str | None:
    return (await world.read.accounts.me(user)).email


@pytest.mark.parametrize(
    ("verified", "stored"),
    [
        (["old@example.com", "new@example.com"], "new@example.com"),
        ([None, "new@example.com"], "new@example.com"),
        (["old@example.com", None], "old@example.com"),
        (["old@example.com", "new@example.com", None], "new@example.com"),
        (["old@example.com", "new@example.com", "old@example.com"], "old@example.com"),
        ([None, None], None),
    ],
)
async def test_the_last_verified_email_is_stored(world: World, verified: list[str | None], stored: str | None) -> None:
    signed_in = [await sign_in(world, email) for email in verified]

    [user] = {one.user_id for one in signed_in}
    assert await email_of(world, user) == stored
    assert [one.is_new for one in signed_in] == [True] + [False] * (len(verified) - 1)


async def test_a_sign_in_changes_only_the_email(world: World) -> None:
    mia = await world.artist("mia")
    at = world.clock.advance()
    before = await world.read.accounts.me(mia.id)

    await sign_in(world, "new@example.com")

    after = await world.read.accounts.me(mia.id)
    assert after == msgspec.structs.replace(before, email="new@example.com")
    assert after.artist is not None
    assert after.artist.verified_email == "mia@example.com"
    stored = await commit(world, lambda ports: ports.users.of_id(mia.id))
    assert stored == msgspec.structs.replace(mia, role=Role.ARTIST, email="new@example.com", updated_at=at)
    assert '"email":"new@example.com"' in msgspec.json.encode(await exported(world, mia)).decode()


async def test_a_sign_in_without_new_data_changes_nothing(world: World) -> None:
    mia = await world.user("mia")
    world.clock.advance()

    for email in ("mia@example.com", None):
        await sign_in(world, email)

    assert await commit(world, lambda ports: ports.users.of_id(mia.id)) == mia


async def test_users_may_share_an_email(world: World) -> None:
    ann = await world.user("ann")
    mia = (await sign_in(world, None)).user_id

    await sign_in(world, "ann@example.com")

    assert await email_of(world, mia) == await email_of(world, ann.id) == "ann@example.com"
    with pytest.raises(NotOneUser):
        await world.read.accounts.find("ann@example.com")


async def test_a_concurrent_edit_is_kept(world: World) -> None:
    mia = await world.user("mia")

    async def edit(ports: Scope) -> None:
        user = await ports.users.of_id(mia.id, lock=True)
        await ports.users.save(user.edit(at=world.clock.now(), username="amelia", bio="new", profile_image=None))

    editing = await Block(world, edit).open()
    signing_in = asyncio.create_task(sign_in(world, "new@example.com"))
    await waits(world, signing_in)
    await editing.commit()
    await signing_in

    me = await world.read.accounts.me(mia.id)
    assert (me.username, me.bio, me.email) == ("amelia", "new", "new@example.com")


async def test_a_concurrently_deleted_user_is_not_signed_in(world: World) -> None:
    mia = await world.user("mia")

    async def leave(ports: Scope) -> None:
        user = await ports.users.of_id(mia.id, lock=True)
        await ports.users.save(user.start_deletion(at=world.clock.now()))

    leaving = await Block(world, leave).open()
    signing_in = asyncio.create_task(sign_in(world, "new@example.com"))
    await waits(world, signing_in)
    await leaving.commit()

    with pytest.raises(SignInFailed) as refused:
        await signing_in
    assert refused.value.reason == "account_closed"
    left = await commit(world, lambda ports: ports.users.of_identity("test", "mia"))
    assert left is not None
    assert left.email == "mia@example.com"


async def test_concurrent_sign_ins_all_succeed(world: World) -> None:
    emails = [f"mia-{number}@example.com" for number in range(5)]

    signed_in = await asyncio.gather(*(sign_in(world, email) for email in emails))

    [user] = {one.user_id for one in signed_in}
    assert await email_of(world, user) in emails
    assert sum(one.is_new for one in signed_in) == 1
    assert (await world.read.accounts.me(user)).token_balance == 100

    again = await asyncio.gather(*(sign_in(world, f"new-{email}") for email in emails))

    assert {one.user_id for one in again} == {user}
    assert await email_of(world, user) in {f"new-{email}" for email in emails}
    await world.use_case(EditProfile)(user, ProfileChanges(bio="no lock is left"))


async def waits(world: World, task: asyncio.Task[SignedIn]) -> None:
    """Return when it waits for a lock."""
    async with asyncio.timeout(TIME_LIMIT):
        while not await world.lock_is_awaited():
            assert not task.done()
            await asyncio.sleep(0)
