"""The repositories of users and artists."""

from datetime import timedelta

import msgspec
import pytest

from core.accounts.errors import AlreadyArtist, ArtistNameTaken, IdentityTaken, UsernameTaken, UserNotFound
from core.accounts.model import Artist, User
from core.requester import Role
from tests.contracts.accounts import saving
from tests.contracts.overlap import Block, Work, commit, race, sending
from tests.support.world import World

# --- users ------------------------------------------------------------------------------------------------------------


async def test_an_added_user_is_returned_unchanged(world: World) -> None:
    user = User(
        id=await world.ids.user(),
        provider="google",
        subject="10769150350006150715113082367",
        email="min.jun@example.com",
        username="min.jun",
        created_at=world.clock.now(),
        updated_at=world.clock.advance(timedelta(microseconds=1)),
        role=Role.ADMIN,
        bio="그림을 그립니다 🖌",
        profile_image="https://pictures.example/1",
    )
    await commit(world, lambda ports: ports.users.add(user))

    assert await commit(world, lambda ports: ports.users.of_id(user.id)) == user
    assert await commit(world, lambda ports: ports.users.of_id(user.id, lock=True)) == user
    assert await commit(world, lambda ports: ports.users.of_identity("google", user.subject)) == user
    assert await commit(world, lambda ports: ports.users.of_identity("google", user.subject, lock=True)) == user
    assert await commit(world, lambda ports: ports.users.of_identity("google", "1", lock=True)) is None
    assert await commit(world, lambda ports: ports.users.of_identity("other", user.subject)) is None
    assert await commit(world, lambda ports: ports.users.of_identity("google", "1")) is None


async def test_a_user_without_optional_fields_is_stored(world: World) -> None:
    user = await new_user(world, "ann", email=None)
    await commit(world, lambda ports: ports.users.add(user))

    assert await commit(world, lambda ports: ports.users.of_id(user.id)) == user


async def test_an_unknown_user_is_not_found(world: World) -> None:
    nobody = await world.ids.user()
    stranger = await new_user(world, "stranger")

    with pytest.raises(UserNotFound):
        await commit(world, saving(stranger))
    with pytest.raises(UserNotFound):
        await commit(world, lambda ports: ports.users.of_id(nobody))
    with pytest.raises(UserNotFound):
        await commit(world, lambda ports: ports.users.of_id(nobody, lock=True))
    with pytest.raises(UserNotFound):
        await world.read.accounts.me(nobody)
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(nobody, viewer=None)


async def test_a_saved_entity_is_stored(world: World) -> None:
    ann = await world.user("ann")
    changed = ann.edit(
        at=world.clock.advance(), username="anna", bio="hello", profile_image="public/profiles/1/a.png"
    ).become_artist("ann@example.com", at=world.clock.advance())

    await commit(world, lambda ports: ports.users.save(changed))

    assert await commit(world, lambda ports: ports.users.of_id(ann.id)) == changed


async def test_a_username_is_unique(world: World) -> None:
    await world.user("ann")
    bob = await world.user("bob")
    other = await new_user(world, "ann", subject="another")

    with pytest.raises(UsernameTaken):
        await commit(world, lambda ports: ports.users.add(other))
    with pytest.raises(UsernameTaken):
        await commit(world, lambda ports: ports.users.save(renamed(bob, "ann")))

    assert await commit(world, lambda ports: ports.users.username_taken("ann"))
    assert not await commit(world, lambda ports: ports.users.username_taken("other"))
    assert await commit(world, lambda ports: ports.users.of_id(bob.id)) == bob
    with pytest.raises(UserNotFound):
        await commit(world, lambda ports: ports.users.of_id(other.id))


async def test_a_released_username_can_be_taken(world: World) -> None:
    ann = await world.user("ann")
    bob = await world.user("bob")

    await commit(world, lambda ports: ports.users.save(renamed(ann, "anna")))
    await commit(world, lambda ports: ports.users.save(renamed(bob, "ann")))

    assert (await world.read.accounts.me(ann.id)).username == "anna"
    assert (await world.read.accounts.me(bob.id)).username == "ann"


async def test_an_identity_has_one_user(world: World) -> None:
    await commit(world, adding(await new_user(world, "ann", subject="1")))

    with pytest.raises(IdentityTaken):
        await commit(world, adding(await new_user(world, "bob", subject="1")))

    await commit(world, adding(await new_user(world, "bob", subject="1", provider="other")))


async def test_one_of_two_sign_ups_with_one_username_is_refused(world: World, sent: bool) -> None:
    one, other = await new_user(world, "ann", subject="1"), await new_user(world, "ann", subject="2")

    ended = await race(world, adding(one), adding(other), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, UsernameTaken)
    with pytest.raises(UserNotFound):
        await world.read.accounts.me(other.id)


async def test_one_of_two_concurrent_claims_of_a_name_is_refused(world: World, sent: bool) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")

    ended = await race(
        world,
        lambda ports: ports.users.save(renamed(ann, "sam")),
        lambda ports: ports.users.save(renamed(bob, "sam")),
        sent=sent,
    )

    assert ended.first is None
    assert isinstance(ended.second, UsernameTaken)
    assert (await world.read.accounts.me(bob.id)).username == "bob"


async def test_one_of_two_sign_ups_with_one_identity_is_refused(world: World, sent: bool) -> None:
    one, other = await new_user(world, "ann", subject="1"), await new_user(world, "bob", subject="1")

    ended = await race(world, adding(one), adding(other), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, IdentityTaken)
    assert await commit(world, lambda ports: ports.users.of_identity("test", "1")) == one
    assert not await commit(world, lambda ports: ports.users.username_taken("bob"))


async def test_a_name_is_free_again_after_a_rollback(world: World) -> None:
    one, other = await new_user(world, "ann", subject="1"), await new_user(world, "ann", subject="2")
    first = await Block(world, sending(adding(one))).open()
    second = Block(world, sending(adding(other)))
    await second.worked_or_waits()

    await first.roll_back()

    assert await second.commit() is None
    assert (await world.read.accounts.me(other.id)).username == "ann"


async def test_a_saved_artist_is_stored(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")
    artist = await commit(world, lambda ports: ports.users.artist(mia.id))
    assert artist is not None
    changed = artist.edit(artist_name="Mia K", signature_key="signatures/1/new.png")

    await commit(world, lambda ports: ports.users.save_artist(changed))

    assert await commit(world, lambda ports: ports.users.artist(mia.id)) == changed != artist
    assert await commit(world, lambda ports: ports.users.artist(ann.id)) is None
    with pytest.raises(UserNotFound):
        await commit(world, lambda ports: ports.users.save_artist(msgspec.structs.replace(artist, user_id=ann.id)))


async def test_a_second_upgrade_to_artist_is_refused(world: World) -> None:
    mia = await world.artist("mia")
    again = Artist(mia.id, "Again", "again@example.com", "signatures/2.png", world.clock.now())

    with pytest.raises(AlreadyArtist):
        await commit(world, lambda ports: ports.users.add_artist(again))

    artist = (await world.read.accounts.me(mia.id)).artist
    assert artist is not None
    assert artist.artist_name == "Mia"


async def test_one_of_two_concurrent_upgrades_is_refused(world: World, sent: bool) -> None:
    ann = await world.user("ann")
    artist = Artist(ann.id, "Ann", "ann@example.com", "signatures/1.png", world.clock.now())

    ended = await race(
        world, lambda ports: ports.users.add_artist(artist), lambda ports: ports.users.add_artist(artist), sent=sent
    )

    assert ended.first is None
    assert isinstance(ended.second, AlreadyArtist)


@pytest.mark.parametrize("name", ["Mia", "MIA", "\uff2dia"])
async def test_an_artist_name_is_unique(world: World, name: str) -> None:
    await world.artist("mia")
    zoe, ann = await world.artist("zoe"), await world.user("ann")

    with pytest.raises(ArtistNameTaken):
        await commit(world, renaming(zoe, name))
    with pytest.raises(ArtistNameTaken):
        await commit(world, lambda ports: ports.users.add_artist(named(ann, name)))

    await commit(world, renaming(zoe, "Zoe B."))  # one's own can be changed, and stay


async def test_a_released_artist_name_can_be_taken(world: World) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    await commit(world, renaming(mia, "Mia Kim"))
    await commit(world, renaming(zoe, "Mia"))
    await commit(world, renaming(zoe, "mia"))

    shown = (await world.read.accounts.profile(zoe.id, viewer=None)).artist
    assert shown is not None
    assert shown.artist_name == "mia"


async def test_one_of_two_artists_with_one_name_is_refused(world: World, sent: bool) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")

    ended = await race(world, renaming(mia, "Same"), renaming(zoe, "SAME"), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, ArtistNameTaken)


async def new_user(
    world: World,
    username: str,
    *,
    subject: str | None = None,
    provider: str = "test",
    email: str | None = "user@example.com",
) -> User:
    now = world.clock.now()
    return User(await world.ids.user(), provider, subject or username, email, username, now, now)


def renamed(user: User, username: str) -> User:
    return msgspec.structs.replace(user, username=username)


def named(user: User, artist_name: str) -> Artist:
    return Artist(user.id, artist_name, "mia@example.com", "signatures/1/signature.png", user.created_at)


def renaming(user: User, artist_name: str) -> Work:
    return lambda ports: ports.users.save_artist(named(user, artist_name))


def adding(user: User) -> Work:
    return lambda ports: ports.users.add(user)
