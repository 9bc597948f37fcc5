"""Styles that are trained again with more pictures."""

from datetime import timedelta
from typing import Any

import pytest

from core.accounts.model import User
from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.errors import UnusableUpload, UploadMissing
from core.audit.model import Operator
from core.errors import DomainError, Forbidden, ValidationError
from core.identifiers import StyleId, VersionId
from core.moderation.approve_training import ApproveTraining
from core.paging import PageRequest
from core.ports.blob_store import StoreUnavailable
from core.requester import Requester, Role
from core.styles.delete_style import DeleteStyle
from core.styles.errors import (
    InsufficientImages,
    RightsNotAffirmed,
    StyleNotFound,
    StyleWithdrawn,
    TooManyImages,
    VersionInTraining,
    VersionLimitReached,
    VersionNotFound,
    VersionNotReady,
)
from core.styles.fail_training import FailTraining
from core.styles.new_style import ArtworkText
from core.styles.retrain_style import RetrainStyle
from core.styles.version import MAX_VERSIONS
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.model import TrainingTask
from core.tasks.outcome import Failure
from tests.contracts.artwork_uploads import CONTENTS, announce, as_artist, check, unused
from tests.contracts.new_versions import (
    MORE,
    checked_version,
    choose,
    complete,
    model_of,
    new_version,
    own,
    shown,
    stored,
    tasks,
    trained_style,
)
from tests.contracts.test_reviews import DRAWINGS, make
from tests.support.world import World

TIMEOUT = timedelta(hours=6)
FAILED = Failure("TRAINING_FAILED", "No.")


@pytest.fixture
async def style_id(world: World, mia: User) -> StyleId:
    return await trained_style(world, mia)


async def notified(world: World, mia: User) -> list[tuple[str, object]]:
    page, _ = await world.read.notifications.list(mia.id, unread_only=False, page=PageRequest())
    return [(notice.type, notice.metadata["version"]) for notice in reversed(page.rows)]


# --- the artworks -----------------------------------------------------------------------------------------------------


async def test_a_version_is_trained_on_kept_and_new_artworks(world: World, mia: User, style_id: StyleId) -> None:
    created = await new_version(
        world, mia, style_id, [MORE[0], MORE[1]], [ArtworkText("a cat", ["Blue"]), ArtworkText()]
    )
    assert (created.style_id, created.version, created.training_status) == (style_id, 2, "pending")
    assert await tasks(world) == []
    checking = (await shown(world, mia, style_id, 2)).checking
    assert checking
    assert (checking.checked_files, checking.total_files) == (0, 2)

    assert await check(world) == 2

    version = await world.training_of(style_id)
    detail = await shown(world, mia, style_id, 2)
    assert (detail.training_status, detail.in_use, detail.checking, detail.artwork_count) == (
        "pending",
        False,
        None,
        12,
    )
    assert [artwork.tags for artwork in detail.artworks[:3]] == [["ink", "blue", "a cat"], ["ink"], ["ink"]]
    [task] = await tasks(world)
    assert isinstance(task, TrainingTask)
    assert (task.task_id, task.data.style_id) == (version.task_id, version.id)
    assert task.data.images == [world.blobs.uri(f"training/{version.id}/image_{index}.png") for index in range(12)]
    assert task.data.tags == ["ink", "blue", "a cat"]
    for index, content in enumerate([*MORE[:2], *CONTENTS]):
        assert await world.blobs.get(f"training/{version.id}/image_{index}.png") == content
        assert await world.blobs.get(f"training/{style_id}/image_{index % 10}.png") == CONTENTS[index % 10]
    assert await world.blobs.get(f"training/{version.id}/image_0.txt") == b"a cat"
    samples = [key.removeprefix(f"samples/{style_id}/") for key in await world.blobs.keys(f"samples/{style_id}/")]
    assert await world.blobs.keys(f"samples/{version.id}/") == [f"samples/{version.id}/{key}" for key in samples]
    assert await world.blobs.keys("uploads/") == []


async def test_kept_artworks_keep_their_captions(world: World, mia: User) -> None:
    style_id = await trained_style(world, mia)
    second = await checked_version(world, mia, style_id, MORE[:1], [ArtworkText("a dog")])
    await complete(world, second.id)
    await choose(world, mia, style_id, 2)

    third = await checked_version(world, mia, style_id, MORE[1:3])

    artworks = (await shown(world, mia, style_id, 3)).artworks
    assert [artwork.caption for artwork in artworks[:4]] == [None, None, "a dog", None]
    assert await world.blobs.get(f"training/{third.id}/image_2.txt") == b"a dog"
    assert len(artworks) == 13


async def test_a_version_can_be_trained_on_new_artworks_only(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id, MORE[:10], keep_artworks=False)

    [task] = await tasks(world)
    assert isinstance(task, TrainingTask)
    assert task.data.images == [world.blobs.uri(f"training/{version.id}/image_{index}.png") for index in range(10)]
    with pytest.raises(VersionInTraining):
        await new_version(world, mia, style_id)


@pytest.mark.parametrize(
    ("contents", "same_as"), [([MORE[0], CONTENTS[3]], 5), ([MORE[0], MORE[0]], 0)], ids=["kept", "new"]
)
async def test_a_duplicate_image_fails_the_version(
    world: World, mia: User, style_id: StyleId, contents: list[bytes], same_as: int
) -> None:
    """`same_as` is its place among the version's artworks: the kept ones come after the new ones."""
    before = await world.blobs.keys("")

    version = await checked_version(world, mia, style_id, contents)

    assert version.failure
    assert (version.failure.code, version.failure.details) == (
        "DUPLICATE_IMAGE",
        {"index": 1, "file": "1.png", "same_as": same_as},
    )
    assert await world.blobs.keys("") == before
    assert await tasks(world) == []
    assert await notified(world, mia) == [("style_training_complete", 1), ("style_training_failed", 2)]
    with pytest.raises(InsufficientImages):
        await world.use_case(RetrainStyle)(mia.id, style_id)


async def test_an_interrupted_check_is_resumed(world: World, mia: User, style_id: StyleId) -> None:
    class UnavailableStore:
        """A store in which nothing can be copied."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.blobs, name)

        async def copy(self, source: str, target: str) -> None:
            raise StoreUnavailable

    await new_version(world, mia, style_id)
    assert await check(world, limit=1) == 1
    with pytest.raises(StoreUnavailable):
        await world.use_case(CheckArtworks, blobs=UnavailableStore())(limit=20)
    assert await tasks(world) == []

    assert await check(world) == 1
    assert len((await shown(world, mia, style_id, 2)).artworks) == 12
    assert len(await tasks(world)) == 1


async def test_a_missing_kept_artwork_fails_the_version(world: World, mia: User, style_id: StyleId) -> None:
    before = await world.blobs.keys("")
    lost = next(key for key in before if key.startswith(f"training/{style_id}/") and "image_3" in key)
    await world.blobs.delete(lost)

    version = await checked_version(world, mia, style_id)

    assert version.failure
    assert (version.failure.code, version.failure.details) == (
        "UPLOAD_MISSING",
        {"index": 5, "file": lost.rpartition("/")[2]},
    )
    assert set(await world.blobs.keys("")) == set(before) - {lost}
    assert await tasks(world) == []
    assert (await stored(world, style_id)).version == 1


async def test_a_style_that_is_deleted_during_the_copy_leaves_no_error(
    world: World, mia: User, style_id: StyleId
) -> None:
    class Deleting:
        """A store in which the style is deleted before its first object is copied."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.blobs, name)

        async def copy(self, source: str, target: str) -> None:
            if await world.blobs.keys(f"training/{style_id}/"):
                await world.use_case(DeleteStyle)(mia.id, style_id)
            await world.blobs.copy(source, target)

    await new_version(world, mia, style_id)
    assert await world.use_case(CheckArtworks, blobs=Deleting())(limit=20) == 1

    assert await check(world) == 0
    assert await tasks(world) == []
    with pytest.raises(StyleNotFound):
        await stored(world, style_id)


async def test_near_copies_of_others_wait_for_an_admin(world: World, mia: User, style_id: StyleId) -> None:
    """See test_reviews: here that those of a later version do, and leave the one in use as it is."""
    await make(world, await world.artist("zoe"), "Oil", DRAWINGS[:10])
    await world.publish()
    await new_version(world, mia, style_id, [DRAWINGS[3]])
    assert await world.use_case(CheckArtworks, review=True)(limit=20) == 1

    assert await tasks(world) == []
    assert (await shown(world, mia, style_id, 2)).review is not None
    assert ((await own(world, mia, style_id)).review, (await own(world, mia, style_id)).training_status) == (
        None,
        "completed",
    )
    assert [pair.resembles.style_name for pair in await world.read.styles.near_copies(style_id)] == ["Oil"]
    await world.use_case(ApproveTraining)(Operator(None), style_id, reason="Licensed.")
    [task] = await tasks(world)
    assert task.data.style_id == (await world.training_of(style_id)).id


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_a_version_requires_a_trained_style_without_a_running_training(world: World, mia: User) -> None:
    untrained = await world.untrained_style(mia, "Oil")
    with pytest.raises(VersionNotReady):
        await new_version(world, mia, untrained.id)
    await world.use_case(FailTraining)(untrained.version_id, FAILED)
    with pytest.raises(VersionNotReady):
        await new_version(world, mia, untrained.id)

    style = await world.style(mia)
    for _ in range(2):
        await new_version(world, mia, style.id)
        with pytest.raises(VersionInTraining):
            await new_version(world, mia, style.id)
        await world.use_case(FailTraining)((await world.training_of(style.id)).id, FAILED)
    assert (await world.training_of(style.id)).number == 3
    await world.use_case(WithdrawStyle)(as_artist(mia), style.id, NewTakedown("Mine."))
    with pytest.raises(StyleWithdrawn):
        await new_version(world, mia, style.id)


async def test_the_number_of_versions_is_limited(world: World, mia: User) -> None:
    style = await world.style(mia)
    for _ in range(MAX_VERSIONS - 1):
        await world.version(style)

    with pytest.raises(VersionLimitReached) as refused:
        await new_version(world, mia, style.id)

    assert refused.value.details == {"limit": MAX_VERSIONS}


async def test_only_the_artist_can_train_versions(world: World, mia: User) -> None:
    zoe = await world.artist("zoe")
    trained, untrained = await world.style(mia), await world.untrained_style(mia, "Oil")
    with pytest.raises(Forbidden):
        await new_version(world, zoe, trained.id)
    for style_id in (untrained.id, StyleId((await world.version(trained)).id), StyleId(4711)):
        with pytest.raises(StyleNotFound):
            await new_version(world, zoe, style_id)


@pytest.mark.parametrize(
    ("contents", "fields", "error"),
    [
        ([], {}, ValidationError),
        (MORE[:9], {"keep_artworks": False}, InsufficientImages),
        (MORE[:1], {"rights_affirmed": False}, RightsNotAffirmed),
    ],
)
async def test_a_refused_version_leaves_the_uploads_unused(
    world: World, mia: User, contents: list[bytes], fields: dict[str, Any], error: type[DomainError]
) -> None:
    style = await world.style(mia)
    with pytest.raises(error):
        await new_version(world, mia, style.id, contents, **fields)
    assert len(await unused(world, mia)) == len(contents)
    assert (await world.training_of(style.id)).number == 1


async def test_kept_artworks_count_towards_the_limits(world: World, mia: User) -> None:
    style = await world.style(mia)
    uploads = await announce(world, mia, *[1] * 91)
    with pytest.raises(TooManyImages) as refused:
        await new_version(world, mia, style.id, uploads=uploads)
    assert refused.value.details == {"allowed": 100, "received": 101}
    with pytest.raises(UploadMissing):
        await new_version(world, mia, style.id, uploads=uploads[:90])
    zoe = await world.artist("zoe")
    zoes = await world.style(zoe)
    with pytest.raises(UnusableUpload):
        await new_version(world, zoe, zoes.id, uploads=uploads[:1])


# --- in use -----------------------------------------------------------------------------------------------------------


async def test_a_trained_version_is_used_once_chosen(world: World, mia: User, style_id: StyleId) -> None:
    version = await checked_version(world, mia, style_id, MORE[:1], [ArtworkText("a cat")])
    before = await stored(world, style_id)

    for number in (2, 3):
        with pytest.raises((VersionNotReady, VersionNotFound)):
            await choose(world, mia, style_id, number)
    assert (await complete(world, version.id)).applied
    assert await stored(world, style_id) == before
    assert (before.version, before.model_path) == (1, model_of(VersionId(style_id)))
    world.clock.advance()

    await choose(world, mia, style_id, 2)

    style = await stored(world, style_id)
    assert (style.version, style.version_id, style.model_path) == (2, version.id, model_of(version.id))
    assert (style.tags, style.updated_at) == (["ink", "a cat"], world.clock.now())
    detail = await own(world, mia, style_id)
    assert (detail.version, detail.model_path, len(detail.artworks)) == (2, model_of(version.id), 11)
    assert detail.thumbnail_url == await world.blobs.signed_url(f"samples/{version.id}/image_0.png")
    viewer = Requester(mia.id, Role.ADMIN, is_artist=False)
    assert [(card.version, card.in_use) for card in await world.read.versions.list(style_id, viewer=viewer)] == [
        (2, True),
        (1, False),
    ]
    await choose(world, mia, style_id, 1)
    assert (await stored(world, style_id)).model_path == before.model_path
    assert await notified(world, mia) == [("style_training_complete", 1), ("style_training_complete", 2)]


async def test_recommended_tags_are_those_of_the_version_in_use(world: World, mia: User, style_id: StyleId) -> None:
    async def recommended() -> dict[str, int]:
        return {tag.name: tag.count for tag in await world.read.styles.recommended_tags(style_id, viewer=None)}

    version = await checked_version(world, mia, style_id, MORE[:2], [ArtworkText("a cat"), ArtworkText("a cat, a dog")])
    await complete(world, version.id)
    assert await recommended() == {"ink": 10}

    for number, expected in ((2, {"ink": 12, "a cat": 2, "a dog": 1}), (1, {"ink": 10}), (2, None), (2, None)):
        await choose(world, mia, style_id, number)
        await world.maintenance.roll_up_tags(limit=1000)
        if expected:
            assert await recommended() == expected
    assert await recommended() == {"ink": 12, "a cat": 2, "a dog": 1}


async def test_only_the_artist_and_admins_see_versions(world: World, mia: User) -> None:
    trained, untrained = await world.style(mia), await world.untrained_style(mia, "Oil")
    zoe = await world.artist("zoe")
    for style_id, error in ((trained.id, Forbidden), (untrained.id, StyleNotFound), (StyleId(4711), StyleNotFound)):
        with pytest.raises(error):
            await world.read.versions.list(style_id, viewer=as_artist(zoe))
        with pytest.raises(error):
            await world.read.versions.detail(style_id, 1, viewer=as_artist(zoe))
    for number in (2, 2**15, 2**63 - 1):
        with pytest.raises(VersionNotFound):
            await shown(world, mia, trained.id, number)
    admin = Requester((await world.admin()).id, Role.ADMIN, is_artist=False)
    assert (await world.read.versions.detail(untrained.id, 1, viewer=admin)).training_status == "pending"
