import msgspec
import pytest

from core.accounts.end_sessions import EndSessions
from core.accounts.errors import NotAnAdmin, NotOneUser, OwnAccount, UserNotFound
from core.accounts.make_admin import MakeAdmin
from core.accounts.model import Session, User
from core.accounts.remove_admin import RemoveAdmin
from core.accounts.sign_in import SignIn
from core.accounts.views import Admin
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.errors import ValidationError
from core.moderation.restore_user import RestoreUser
from core.moderation.suspend_user import SuspendUser
from core.paging import PageRequest
from core.ports.identity_provider import Identity, SignInFailed
from core.requester import Requester, Role
from core.search.views import SearchType
from tests.contracts.overlap import race
from tests.support.scope import Scope
from tests.support.world import World

NOBODY = Operator(None)


async def signed_in(world: World, user: User, token_hash: bytes = b"t" * 32) -> bytes:
    now = world.clock.now()
    async with world.block() as ports:
        await ports.sessions.add(
            Session.start(await world.ids.session(), token_hash, user.id, at=now, user_agent="a browser")
        )
    return token_hash


async def requester(world: World, token_hash: bytes) -> Requester | None:
    return await world.scope().sessions.requester(token_hash, at=world.clock.now())


async def last_line(world: World) -> AuditLine:
    [line, *_] = (await world.read.audit.list(page=PageRequest())).rows
    return line


# --- who is meant -----------------------------------------------------------------------------------------------------


async def test_a_user_is_found_by_id_username_and_email(world: World) -> None:
    ann, eve = await world.user("ann"), await world.admin("eve")
    await world.use_case(SuspendUser)(Operator(eve.id), ann.id, reason="Spam.")

    for who in (str(ann.id), "ann", "ann@example.com"):
        assert await world.read.accounts.find(who) == ann.id
    with pytest.raises(NotOneUser) as refused:
        await world.read.accounts.find("nobody@example.com")
    assert refused.value.details == {"who": "nobody@example.com", "found": 0}


async def test_an_email_of_two_users_is_refused(world: World) -> None:
    ann = await world.user("ann")
    twin = msgspec.structs.replace(ann, id=await world.ids.user(), subject="another", username="twin")
    async with world.block() as ports:
        await ports.users.add(twin)

    with pytest.raises(NotOneUser) as refused:
        await world.read.accounts.find("ann@example.com")
    assert refused.value.details == {"who": "ann@example.com", "found": 2}


# --- admins -----------------------------------------------------------------------------------------------------------


async def test_a_user_becomes_an_admin(world: World) -> None:
    mia = await world.artist("mia")

    made = await world.use_case(MakeAdmin)(NOBODY, mia.id)

    assert (made.id, made.role, made.updated_at) == (mia.id, Role.ADMIN, world.clock.now())
    assert await world.use_case(MakeAdmin)(NOBODY, mia.id) == made
    assert await world.read.accounts.admins() == [Admin(mia.id, "mia", "mia@example.com")]


async def test_an_unknown_user_cannot_become_an_admin(world: World) -> None:
    with pytest.raises(UserNotFound):
        await world.use_case(MakeAdmin)(NOBODY, await world.ids.user())


@pytest.mark.parametrize(("kind", "role"), [("user", Role.USER), ("artist", Role.ARTIST)])
async def test_a_former_admin_has_the_previous_role_again(world: World, kind: str, role: Role) -> None:
    mia = await (world.artist if kind == "artist" else world.user)("mia")
    await world.use_case(MakeAdmin)(NOBODY, mia.id)
    world.clock.advance()

    assert (await world.use_case(RemoveAdmin)(NOBODY, mia.id)).role is role

    line = await last_line(world)
    assert (line.action, line.target_id) == ("admin.removed", str(mia.id))
    assert (line.before, line.after) == ({"role": "admin"}, {"role": role.value})
    assert await world.read.accounts.admins() == []
    with pytest.raises(NotAnAdmin):
        await world.use_case(RemoveAdmin)(NOBODY, mia.id)


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_all_sessions_of_a_user_are_revoked(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    sessions = [await signed_in(world, ann, b"1" * 32), await signed_in(world, ann, b"2" * 32)]
    other = await signed_in(world, bob, b"3" * 32)

    assert await world.use_case(EndSessions)(NOBODY, ann.id) == 2

    assert [await requester(world, session) for session in sessions] == [None, None]
    assert await requester(world, other)
    line = await last_line(world)
    assert (line.action, line.target_id) == ("user.sessions_ended", str(ann.id))
    assert (line.before, line.after) == ({"sessions": 2}, {"sessions": 0})


async def test_revoking_sessions_of_an_unknown_user_is_refused(world: World) -> None:
    with pytest.raises(UserNotFound):
        await world.use_case(EndSessions)(NOBODY, await world.ids.user())


# --- suspension -------------------------------------------------------------------------------------------------------


async def test_a_suspended_user_is_signed_out_at_once(world: World) -> None:
    mia, eve = await world.artist("mia"), await world.admin("eve")
    open_style, closed = await world.style(mia, "Ink"), await world.style(mia, "Oil", is_active=False)
    session = await signed_in(world, mia)
    at = world.clock.advance()

    await world.use_case(SuspendUser)(Operator(eve.id), mia.id, reason="Stolen artworks.")

    assert await requester(world, session) is None
    with pytest.raises(SignInFailed) as refused:
        await world.use_case(SignIn)(Identity("test", "mia", None, "Mia", None), user_agent="")
    assert refused.value.reason == "account_suspended"
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(mia.id, viewer=None)
    assert (await world.read.search.search("mia", type=SearchType.ARTISTS, limit=9)).artists == []
    async with world.block() as ports:
        assert not (await ports.styles.of_id(open_style.id)).is_active
        assert (await ports.styles.of_id(closed.id)).updated_at == closed.updated_at
    line = await last_line(world)
    assert (line.action, line.admin_id, line.target_id) == ("user.suspended", eve.id, str(mia.id))
    assert line.before == {"standing": "present", "sessions": 1, "open_styles": [open_style.id]}
    assert line.after == {"standing": "suspended", "sessions": 0, "open_styles": []}
    assert (line.reason, line.created_at) == ("Stolen artworks.", at)


async def test_a_restored_user_can_sign_in(world: World) -> None:
    mia, eve = await world.artist("mia"), await world.admin("eve")
    style = await world.style(mia)
    await world.use_case(SuspendUser)(Operator(eve.id), mia.id, reason="Stolen artworks.")
    world.clock.advance()

    await world.use_case(RestoreUser)(Operator(eve.id), mia.id, reason="They were hers.")

    signed = await world.use_case(SignIn)(Identity("test", "mia", None, "Mia", None), user_agent="")
    assert signed.user_id == mia.id
    async with world.block() as ports:
        assert not (await ports.styles.of_id(style.id)).is_active
    line = await last_line(world)
    assert (line.action, line.reason) == ("user.restored", "They were hers.")
    assert (line.before, line.after) == ({"standing": "suspended"}, {"standing": "present"})


async def test_only_suspended_users_can_be_restored(world: World) -> None:
    ann = await world.user("ann")
    for nobody in (ann.id, await world.ids.user()):
        with pytest.raises(UserNotFound):
            await world.use_case(RestoreUser)(NOBODY, nobody, reason="Why not.")


async def test_admins_cannot_suspend_themselves(world: World) -> None:
    eve = await world.admin("eve")
    with pytest.raises(OwnAccount):
        await world.use_case(SuspendUser)(Operator(eve.id), eve.id, reason="To see what happens.")


async def test_suspending_and_restoring_require_a_reason(world: World) -> None:
    ann = await world.user("ann")
    with pytest.raises(ValidationError):
        await world.use_case(SuspendUser)(NOBODY, ann.id, reason=" ")
    with pytest.raises(ValidationError):
        await world.use_case(RestoreUser)(NOBODY, ann.id, reason=" ")


async def test_a_suspension_waits_for_an_edit_of_the_same_user(world: World, sent: bool) -> None:
    ann = await world.user("ann")

    async def edit(ports: Scope) -> None:
        user = await ports.users.of_id(ann.id, lock=True)
        await ports.users.save(msgspec.structs.replace(user, bio="Edited"))

    async def suspend(ports: Scope) -> None:
        user = await ports.users.of_id(ann.id, lock=True)
        await ports.users.save(user.suspend(at=world.clock.now()))

    ended = await race(world, edit, suspend, sent=sent)

    assert (ended.first, ended.second) == (None, None)
    async with world.block() as ports:
        assert (await ports.users.suspended(ann.id)).bio == "Edited"
