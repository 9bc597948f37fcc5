"""Accounts as readers show them, and the sessions that identify their users."""

from datetime import timedelta

import msgspec

from core.accounts.model import Session, User
from core.accounts.views import Me, MeArtist, Profile, ProfileArtist, ProfileStats
from core.derivatives import ImageUrls, original, public_urls
from core.requester import Requester, Role
from tests.contracts.accounts import saving
from tests.contracts.overlap import Block, Work, commit
from tests.support.scope import Scope
from tests.support.world import World

# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_session_identifies_the_requester(world: World) -> None:
    ann, mia = await world.user("ann"), await world.artist("mia")
    await commit(world, signing_in(ann, b"1" * 32, world))
    await commit(world, signing_in(mia, b"2" * 32, world))
    sessions, now = world.scope().sessions, world.clock.now()

    assert await sessions.requester(b"1" * 32, at=now) == Requester(ann.id, Role.USER, is_artist=False)
    assert await sessions.requester(b"2" * 32, at=now) == Requester(mia.id, Role.ARTIST, is_artist=True)
    assert await sessions.requester(b"3" * 32, at=now) is None


async def test_a_session_shows_the_current_user(world: World) -> None:
    ann = await world.user("ann")
    await commit(world, signing_in(ann, b"1" * 32, world))
    admin = msgspec.structs.replace(ann, role=Role.ADMIN)
    await commit(world, lambda ports: ports.users.save(admin))

    requester = await world.scope().sessions.requester(b"1" * 32, at=world.clock.now())

    assert requester == Requester(ann.id, Role.ADMIN, is_artist=False)
    assert requester.is_admin


async def test_a_session_expires(world: World) -> None:
    ann = await world.user("ann")
    await commit(world, signing_in(ann, b"1" * 32, world))
    sessions, end = world.scope().sessions, world.clock.now() + timedelta(days=14)

    assert await sessions.requester(b"1" * 32, at=end - timedelta(microseconds=1)) is not None
    assert await sessions.requester(b"1" * 32, at=end) is None


async def test_a_revoked_session_is_invalid(world: World) -> None:
    ann = await world.user("ann")
    await commit(world, signing_in(ann, b"1" * 32, world))
    await commit(world, signing_in(ann, b"2" * 32, world))

    for _ in range(2):  # one that is not there is no error
        await commit(world, lambda ports: ports.sessions.end(b"1" * 32))

    sessions, now = world.scope().sessions, world.clock.now()
    assert await sessions.requester(b"1" * 32, at=now) is None
    assert await sessions.requester(b"2" * 32, at=now) is not None


async def test_a_session_is_created_and_revoked_with_its_transaction(world: World) -> None:
    ann = await world.user("ann")
    await commit(world, signing_in(ann, b"1" * 32, world))
    sessions, now = world.scope().sessions, world.clock.now()

    async def swap(ports: Scope) -> None:
        await ports.sessions.end(b"1" * 32)
        await signing_in(ann, b"2" * 32, world)(ports)

    block = await Block(world, swap).open()
    assert await sessions.requester(b"1" * 32, at=now) is not None
    assert await sessions.requester(b"2" * 32, at=now) is None
    await block.roll_back()
    assert await sessions.requester(b"1" * 32, at=now) is not None
    assert await sessions.requester(b"2" * 32, at=now) is None

    await commit(world, swap)
    assert await sessions.requester(b"1" * 32, at=now) is None
    assert await sessions.requester(b"2" * 32, at=now) is not None


# --- as people see it -------------------------------------------------------------------------------------------------


async def test_current_user_view(world: World) -> None:
    ann = await world.user("ann", tokens=100)
    await world.generation(ann, await world.style(await world.artist("mia")))

    assert await world.read.accounts.me(ann.id) == Me(
        id=ann.id,
        username="ann",
        email="ann@example.com",
        profile_image=None,
        images=None,
        role="user",
        token_balance=70,
        bio="",
        created_at=ann.created_at,
        artist=None,
    )


async def test_current_user_view_of_an_artist(world: World) -> None:
    mia = await world.artist("mia")
    ann = await world.user("ann", tokens=100)
    await world.follow(ann, mia)
    await world.image(ann, await world.style(mia))

    me = await world.read.accounts.me(mia.id)

    assert (me.role, me.token_balance) == ("artist", 0)
    assert me.artist == MeArtist(
        id=mia.id,
        artist_name="Mia",
        signature_image_url=await world.blobs.signed_url(f"signatures/{mia.id}/signature.png"),
        verified_email="mia@example.com",
        earned_token_balance=30,
        follower_count=1,
    )


async def test_a_stored_profile_image_has_public_urls(world: World) -> None:
    ann = await world.user("ann")
    shown = {}
    for picture in ("public/profiles/1/face.png", "https://pictures.example/1"):
        await commit(world, saving(msgspec.structs.replace(ann, profile_image=picture)))
        me, profile = await world.read.accounts.me(ann.id), await world.read.accounts.profile(ann.id, viewer=None)
        shown[picture] = me.images
        assert profile.images == me.images
        assert me.profile_image == profile.profile_image == original(me.images)

    assert shown == {
        "public/profiles/1/face.png": public_urls("public/profiles/1/face.png", world.blobs),
        "https://pictures.example/1": ImageUrls(None, None, "https://pictures.example/1"),
    }


async def test_profile_view(world: World) -> None:
    ann = await world.user("ann", tokens=300)
    bob = await world.user("bob", tokens=100)
    mia = await world.artist("mia")
    style = await world.style(mia)
    await world.image(ann, style, public=True)
    await world.image(ann, style)
    await world.generation(ann, style)
    await world.failed_generation(ann, style)
    await world.image(bob, style, public=True)
    await world.follow(ann, mia)
    await world.follow(ann, bob)
    await world.follow(bob, mia)

    assert await world.read.accounts.profile(ann.id, viewer=bob.id) == Profile(
        id=ann.id,
        username="ann",
        profile_image=None,
        images=None,
        bio="",
        role="user",
        created_at=ann.created_at,
        is_following=False,
        artist=None,
        stats=ProfileStats(total_generations=2, public_generations=1, following_count=2),
    )
    profile = await world.read.accounts.profile(mia.id, viewer=ann.id)
    assert profile.is_following
    assert profile.artist == ProfileArtist(mia.id, "Mia", 2)
    assert profile.stats == ProfileStats(0, 0, 0)
    assert not (await world.read.accounts.profile(mia.id, viewer=None)).is_following
    assert not (await world.read.accounts.profile(mia.id, viewer=mia.id)).is_following


def signing_in(user: User, token_hash: bytes, world: World) -> Work:
    now = world.clock.now()

    async def sign_in(ports: Scope) -> None:
        session_id = await world.ids.session()
        await ports.sessions.add(Session.start(session_id, token_hash, user.id, at=now, user_agent="Mozilla/5.0"))

    return sign_in
