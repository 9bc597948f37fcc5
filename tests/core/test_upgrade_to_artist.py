from io import BytesIO

import msgspec
import pytest

from core.accounts.errors import AlreadyArtist, EmailNotVerified, InvalidPicture, UserNotFound
from core.accounts.model import User
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.errors import ValidationError
from core.ports.transaction import OutcomeUnknown
from core.problems import file_too_large
from core.requester import Requester, Role
from tests.core.failing import LosesConnection, UnexpectedError, failing
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import noise, picture


async def test_a_user_becomes_an_artist_with_a_signature(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    await upgrade(world, ann, artist_name="  김 Ann ", verified_email=" ann@example.com ")

    me = await world.read.accounts.me(ann.id)
    [key] = await world.blobs.keys(f"signatures/{ann.id}/")
    assert me.role == "artist"
    assert me.artist is not None
    assert (me.artist.artist_name, me.artist.verified_email) == ("김 Ann", "ann@example.com")
    assert me.artist.signature_image_url == await world.blobs.signed_url(key)
    assert (me.artist.earned_token_balance, me.artist.follower_count) == (0, 0)
    assert (await world.funds(ann.id)).earned_token_balance == 0
    assert await world.blobs.get(key) == picture()
    assert (key.endswith(".png"), world.blobs.content_type(key)) == (True, "image/png")


async def test_an_admin_stays_an_admin(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with world.block() as scope:
        await scope.users.save(msgspec.structs.replace(ann, role=Role.ADMIN))

    await upgrade(world, ann)

    me = await world.read.accounts.me(ann.id)
    assert me.role == "admin"
    assert me.artist is not None


async def test_a_second_upgrade_is_refused(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    before = await world.blobs.keys("")

    for knows_it in (True, False):  # a session may be older than the upgrade
        with pytest.raises(AlreadyArtist):
            await upgrade(world, mia, is_artist=knows_it)

    assert await world.blobs.keys("") == before


@pytest.mark.parametrize(
    ("artist_name", "verified_email", "wrong"),
    [
        ("", "ann@example.com", {"artist_name"}),
        ("   ", "ann@example.com", {"artist_name"}),
        ("a" * 51, "ann@example.com", {"artist_name"}),
        ("Ann", "ann", {"verified_email"}),
        ("Ann", "ann@example", {"verified_email"}),
        ("Ann", "ann@@example.com", {"verified_email"}),
        ("Ann", "an n@example.com", {"verified_email"}),
        ("Ann", "a" * 65 + "@example.com", {"verified_email"}),
        ("Ann", "ann@" + "a" * 247 + ".com", {"verified_email"}),
        ("", "", {"artist_name", "verified_email"}),
    ],
)
async def test_invalid_fields_are_refused(
    world: MemoryWorld, artist_name: str, verified_email: str, wrong: set[str]
) -> None:
    ann = await world.user("ann")

    with pytest.raises(ValidationError) as refused:
        await upgrade(world, ann, artist_name=artist_name, verified_email=verified_email)

    assert set(refused.value.details or {}) == wrong
    await nothing_happened(world, ann)


@pytest.mark.parametrize(
    "signature", [b"", b"no image", picture()[:-1], picture(1, 4097)], ids=["empty", "text", "truncated", "too high"]
)
async def test_an_unsuitable_signature_is_refused(world: MemoryWorld, signature: bytes) -> None:
    ann = await world.user("ann")

    with pytest.raises(InvalidPicture) as refused:
        await upgrade(world, ann, signature=signature)

    assert set(refused.value.details or {}) == {"signature_image"}
    await nothing_happened(world, ann)


async def test_a_too_large_signature_is_refused(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    with pytest.raises(InvalidPicture) as refused:
        await upgrade(world, ann, signature=noise(1024, 1024))

    assert refused.value.details == {"signature_image": file_too_large(2)}
    await nothing_happened(world, ann)


async def test_an_unknown_user_cannot_become_an_artist(world: MemoryWorld) -> None:
    nobody = msgspec.structs.replace(await world.user("ann"), id=await world.ids.user())

    with pytest.raises(UserNotFound):
        await upgrade(world, nobody)
    assert await world.blobs.keys("") == []


async def test_an_unexpected_failure_stores_nothing(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    scope = world.scope()
    use_case = world.use_case(
        UpgradeToArtist, transaction=scope.transaction, users=scope.users, ledger=failing(scope.ledger, "open")
    )

    with pytest.raises(UnexpectedError):
        await upgrade(world, ann, use_case)

    await nothing_happened(world, ann)


async def test_a_signature_of_unknown_outcome_is_kept(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    scope = world.scope()
    transaction = LosesConnection(scope.transaction)
    use_case = world.use_case(UpgradeToArtist, transaction=transaction, users=scope.users, ledger=scope.ledger)

    with pytest.raises(OutcomeUnknown):
        await upgrade(world, ann, use_case)

    assert (await world.read.accounts.me(ann.id)).artist is not None
    assert len(await world.blobs.keys("signatures/")) == 1


@pytest.mark.parametrize("email", ["boss@example.com", "ann@example.com.evil.example"])
async def test_an_unverified_email_is_refused(world: MemoryWorld, email: str) -> None:
    ann = await world.user("ann")

    with pytest.raises(EmailNotVerified):
        await upgrade(world, ann, verified_email=email)

    assert (await world.read.accounts.me(ann.id)).artist is None
    assert await world.blobs.keys("signatures/") == []


async def test_becoming_an_artist_requires_a_verified_email(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with world.block() as ports:
        await ports.users.save(msgspec.structs.replace(ann, email=None))

    with pytest.raises(EmailNotVerified):
        await upgrade(world, ann)


async def test_the_email_is_compared_case_insensitively(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    await upgrade(world, ann, verified_email="Ann@Example.com")
    assert (await world.read.accounts.me(ann.id)).artist is not None


@pytest.mark.parametrize("name", ["Admin", "S\u200dupport", "\uff2fFFICIAL", "Style-License", "관리자", "s t a f f"])
async def test_a_reserved_name_is_refused(world: MemoryWorld, name: str) -> None:
    ann = await world.user("ann")
    with pytest.raises(ValidationError) as refused:
        await upgrade(world, ann, artist_name=name)
    assert refused.value.details is not None
    assert refused.value.details.keys() == {"artist_name"}


async def upgrade(
    world: MemoryWorld,
    user: User,
    use_case: UpgradeToArtist | None = None,
    *,
    is_artist: bool = False,
    artist_name: str = "Ann",
    verified_email: str = "ann@example.com",
    signature: bytes | None = None,
) -> None:
    await (use_case or world.use_case(UpgradeToArtist))(
        Requester(user.id, user.role, is_artist),
        artist_name=artist_name,
        verified_email=verified_email,
        signature=BytesIO(picture() if signature is None else signature),
    )


async def nothing_happened(world: MemoryWorld, user: User) -> None:
    me = await world.read.accounts.me(user.id)
    assert (me.role, me.artist) == ("user", None)
    assert (await world.funds(user.id)).earned_token_balance is None
    assert await world.blobs.keys("") == []
