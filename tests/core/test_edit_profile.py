from datetime import timedelta
from io import BytesIO

import msgspec
import pytest
from msgspec import UNSET
from PIL import Image, ImageColor

from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.errors import ArtistOnly, InvalidPicture, UsernameTaken, UserNotFound
from core.accounts.model import User
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.derivatives import derivatives_of
from core.errors import ValidationError
from core.ports.blob_store import StoreUnavailable
from core.ports.images import NotAnImage
from core.ports.transaction import OutcomeUnknown
from core.problems import RESERVED_NAME
from tests.core.failing import LosesConnection, UnexpectedError, failing
from tests.support.derivatives import originals
from tests.support.memory_world import MemoryWorld
from tests.support.photographs import SECRETS, drawn, with_metadata
from tests.support.pictures import picture


async def test_omitted_fields_are_kept(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    edit = world.use_case(EditProfile)
    world.clock.advance()

    await edit(ann.id, ProfileChanges(bio="hello"))
    assert (await profile(world, ann))[:2] == ("ann", "hello")

    await edit(ann.id, ProfileChanges(username=" anna "))
    assert (await profile(world, ann))[:2] == ("anna", "hello")
    assert world.database.tables.users[ann.id].updated_at == world.clock.now()


async def test_the_own_username_can_be_kept(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    await world.use_case(EditProfile)(ann.id, ProfileChanges(username="ann"))


async def test_a_taken_username_is_refused(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    await world.user("bob")

    with pytest.raises(UsernameTaken):
        await world.use_case(EditProfile)(ann.id, ProfileChanges(username="bob"), BytesIO(picture()))

    assert await profile(world, ann) == ("ann", "", None)
    assert await world.blobs.keys("") == []


@pytest.mark.parametrize("username", ["admin", "style.license", "s-u-p-p-o-r-t"])
async def test_a_reserved_username_is_refused_unless_already_owned(world: MemoryWorld, username: str) -> None:
    ann, known = await world.user("ann"), await world.user(username)

    with pytest.raises(ValidationError) as refused:
        await world.use_case(EditProfile)(ann.id, ProfileChanges(username=username))
    assert refused.value.details == {"username": RESERVED_NAME}

    await world.use_case(EditProfile)(known.id, ProfileChanges(username=username, bio="hello"))


async def test_a_reserved_artist_name_is_refused_unless_already_owned(world: MemoryWorld) -> None:
    mia, known = await world.artist("mia"), await world.artist("official")

    with pytest.raises(ValidationError) as refused:
        await world.use_case(EditProfile)(mia.id, ProfileChanges(artist_name="Official"))
    assert refused.value.details == {"artist_name": RESERVED_NAME}

    await world.use_case(EditProfile)(known.id, ProfileChanges(artist_name="Official"))


@pytest.mark.parametrize("username", ["ab", "a" * 31, "Ann", "min jun", "김민준", ""])
async def test_an_invalid_username_is_refused(world: MemoryWorld, username: str) -> None:
    ann = await world.user("ann")

    with pytest.raises(ValidationError) as refused:
        await world.use_case(EditProfile)(ann.id, ProfileChanges(username=username, bio="x" * 501))

    assert set(refused.value.details or {}) == {"username", "bio"}
    assert await profile(world, ann) == ("ann", "", None)


@pytest.mark.parametrize("format", ["png", "jpeg"])
async def test_a_new_profile_image_replaces_the_previous_one(world: MemoryWorld, format: str) -> None:
    ann = await world.user("ann")
    edit = world.use_case(EditProfile)
    await edit(ann.id, ProfileChanges(), BytesIO(picture()))
    [before] = originals(await world.blobs.keys("public/profiles/"))

    content = picture(format="jpeg" if format == "jpeg" else "png", color="red")
    await edit(ann.id, ProfileChanges(), BytesIO(content))

    [key] = originals(await world.blobs.keys("public/profiles/"))
    assert key != before
    assert key.startswith(f"public/profiles/{ann.id}/")
    assert key.endswith(".jpg" if format == "jpeg" else ".png")
    assert await shows(world, key, "red")
    assert world.blobs.content_type(key) == f"image/{format}"
    assert (await profile(world, ann))[2] == world.blobs.public_url(key)


async def test_a_profile_image_of_the_identity_provider_is_replaced(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with world.block() as scope:
        await scope.users.save(msgspec.structs.replace(ann, profile_image="https://pictures.example/1"))

    await world.use_case(EditProfile)(ann.id, ProfileChanges(), BytesIO(picture()))

    [key] = originals(await world.blobs.keys(""))
    assert (await profile(world, ann))[2] == world.blobs.public_url(key)


async def test_changing_text_keeps_the_image(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    edit = world.use_case(EditProfile)
    await edit(ann.id, ProfileChanges(), BytesIO(picture()))
    before = await profile(world, ann)

    await edit(ann.id, ProfileChanges(bio="hello"))

    assert (await profile(world, ann))[2] == before[2] is not None
    assert len(originals(await world.blobs.keys(""))) == 1


@pytest.mark.parametrize(
    "content",
    [b"no image", picture()[:-10], picture(4097, 1), picture() + b"<script>"],
    ids=["text", "truncated", "too wide", "polyglot"],
)
async def test_an_unsuitable_image_is_refused(world: MemoryWorld, content: bytes) -> None:
    ann = await world.user("ann")

    with pytest.raises(InvalidPicture) as refused:
        await world.use_case(EditProfile)(ann.id, ProfileChanges(bio="hello"), BytesIO(content))

    assert set(refused.value.details or {}) == {"profile_image"}
    assert await profile(world, ann) == ("ann", "", None)
    assert await world.blobs.keys("") == []


async def test_an_unknown_user_cannot_be_edited(world: MemoryWorld) -> None:
    with pytest.raises(UserNotFound):
        await world.use_case(EditProfile)(await world.ids.user(), ProfileChanges(bio="x"), BytesIO(picture()))

    assert await world.blobs.keys("") == []


async def test_an_unexpected_failure_stores_no_image(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    scope = world.scope()
    edit = world.use_case(EditProfile, transaction=scope.transaction, users=failing(scope.users, "save"))

    with pytest.raises(UnexpectedError):
        await edit(ann.id, ProfileChanges(), BytesIO(picture()))

    assert await world.blobs.keys("") == []


async def test_a_store_outage_does_not_mask_the_refusal(world: MemoryWorld) -> None:
    ann, _ = await world.user("ann"), await world.user("bob")
    edit = world.use_case(EditProfile, blobs=failing(world.blobs, "delete", StoreUnavailable()))

    with pytest.raises(UsernameTaken):
        await edit(ann.id, ProfileChanges(username="bob"), BytesIO(picture()))

    assert len(originals(await world.blobs.keys(""))) == 1  # for the walk for orphans to find


async def test_a_profile_image_of_unknown_outcome_is_kept(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    scope = world.scope()
    edit = world.use_case(EditProfile, transaction=LosesConnection(scope.transaction), users=scope.users)

    with pytest.raises(OutcomeUnknown):
        await edit(ann.id, ProfileChanges(), BytesIO(picture()))

    [key] = originals(await world.blobs.keys(""))
    assert (await profile(world, ann))[2] == world.blobs.public_url(key)


async def test_a_profile_image_has_no_metadata(world: MemoryWorld) -> None:
    ann = await world.user("ann")

    await world.use_case(EditProfile)(ann.id, ProfileChanges(), BytesIO(with_metadata(drawn(), "JPEG") + b"\n"))

    [key] = originals(await world.blobs.keys(""))
    stored = [await world.blobs.get(one) for one in (key, *derivatives_of(key))]
    assert not any(secret in one for secret in SECRETS for one in stored)
    assert stored[0].endswith(b"\xff\xd9")


async def test_a_profile_image_that_cannot_be_scaled_is_refused(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    edit = world.use_case(EditProfile, images=failing(world.images, "shrink", NotAnImage()))

    with pytest.raises(InvalidPicture):
        await edit(ann.id, ProfileChanges(), BytesIO(picture()))

    assert await world.blobs.keys("") == []


async def test_a_replaced_signature_is_kept_for_open_tasks(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    style = await world.style(mia)
    [before] = await world.blobs.keys("signatures/")
    world.clock.advance(timedelta(days=30))

    new = with_metadata(drawn("RGB", (300, 100)), "PNG")
    await world.use_case(EditProfile)(mia.id, ProfileChanges(), None, BytesIO(new))

    [after] = set(await world.blobs.keys("signatures/")) - {before}
    async with world.block() as scope:
        assert (await scope.styles.offer(style.id)).signature_key == after
    assert after.startswith(f"signatures/{mia.id}/")
    stored = await world.blobs.get(after)
    assert not any(secret in stored for secret in SECRETS)
    drop = world.use_case(PurgeOrphans, age=OrphanAge(timedelta(days=1)))
    world.clock.advance(timedelta(hours=23))
    await drop()
    assert sorted(await world.blobs.keys("signatures/")) == sorted([before, after])
    world.clock.advance(timedelta(days=1))
    await drop()
    assert await world.blobs.keys("signatures/") == [after]


async def test_a_lost_signature_can_be_replaced(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    await world.blobs.delete(*await world.blobs.keys(""))

    await world.use_case(EditProfile)(mia.id, ProfileChanges(), None, BytesIO(picture()))

    assert len(await world.blobs.keys("signatures/")) == 1


async def test_an_artist_can_change_the_artist_name(world: MemoryWorld) -> None:
    mia = await world.artist("mia")

    await world.use_case(EditProfile)(mia.id, ProfileChanges(username="mia-k", artist_name=" 미아 K "))

    artist = (await world.read.accounts.profile(mia.id, viewer=None)).artist
    assert artist is not None
    assert artist.artist_name == "미아 K"
    assert len(await world.blobs.keys("signatures/")) == 1


@pytest.mark.parametrize("changes", [ProfileChanges(bio="x", artist_name="Ann"), ProfileChanges(bio="x")])
async def test_only_artists_have_an_artist_name_and_a_signature(world: MemoryWorld, changes: ProfileChanges) -> None:
    ann = await world.user("ann")
    signature = BytesIO(picture()) if changes.artist_name is UNSET else None

    with pytest.raises(ArtistOnly):
        await world.use_case(EditProfile)(ann.id, changes, BytesIO(picture()), signature)

    assert await profile(world, ann) == ("ann", "", None)
    assert await world.blobs.keys("") == []


async def test_an_invalid_artist_name_or_signature_changes_nothing(world: MemoryWorld) -> None:
    mia = await world.artist("mia")
    before = await world.blobs.keys("")

    with pytest.raises(ValidationError) as refused:
        await world.use_case(EditProfile)(mia.id, ProfileChanges(artist_name=" "), None, BytesIO(picture()))
    assert set(refused.value.details or {}) == {"artist_name"}
    with pytest.raises(InvalidPicture) as bad:
        await world.use_case(EditProfile)(mia.id, ProfileChanges(bio="x"), BytesIO(picture()), BytesIO(b"x"))
    assert set(bad.value.details or {}) == {"signature_image"}

    assert await world.blobs.keys("") == before


async def shows(world: MemoryWorld, key: str, color: str) -> bool:
    with Image.open(BytesIO(await world.blobs.get(key))) as image:
        found, wanted = image.convert("RGB").getpixel((9, 9)), ImageColor.getrgb(color)
    assert isinstance(found, tuple)
    return all(abs(one - other) < 4 for one, other in zip(found, wanted, strict=True))


async def profile(world: MemoryWorld, user: User) -> tuple[str, str, str | None]:
    shown = await world.read.accounts.profile(user.id, viewer=None)
    return shown.username, shown.bio, shown.profile_image
