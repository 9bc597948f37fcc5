"""Styles whose artworks resemble another artist's wait for an admin, if the operator wants it."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from core.accounts.model import User
from core.artwork_uploads.check_artworks import CheckArtworks
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.errors import ValidationError
from core.identifiers import StyleId, VersionId
from core.moderation.approve_training import ApproveTraining
from core.moderation.reject_training import RejectTraining
from core.paging import PageRequest
from core.requester import Requester
from core.styles.create_style import CreateStyle, TrainingImage
from core.styles.delete_style import DeleteStyle
from core.styles.errors import ArtworksRejected, NotInReview, StyleNotFound, StyleWithdrawn
from core.styles.new_style import NewStyle
from core.styles.retrain_style import RetrainStyle
from core.styles.time_out_trainings import TimeOutTrainings, TrainingTimeout
from core.styles.version import Review, StyleVersion, TrainingStatus
from core.styles.views import OwnStyleDetail
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.uploads import Upload
from tests.contracts.artwork_uploads import arrived, create
from tests.contracts.images.test_perceptual_hashes import scene
from tests.contracts.overlap import commit
from tests.support.photographs import encoded
from tests.support.world import World

TIMEOUT = timedelta(hours=6)
DRAWINGS = [encoded(scene(number, (512, 512)), "PNG") for number in range(20)]
COPY = encoded(scene(3, (512, 512)).resize((600, 600)), "JPEG", quality=60)


async def make(
    world: World, artist: User, name: str, contents: list[bytes], *, review: bool = True, **fields: Any
) -> StyleId:
    images = [
        TrainingImage(Upload(f"{index}.png", len(content), BytesIO(content))) for index, content in enumerate(contents)
    ]
    created = await world.use_case(CreateStyle, review=review, limit=10)(
        Requester(artist.id, artist.role, is_artist=True), NewStyle(name, 1, **fields), images
    )
    assert created.training_status == "pending"
    return created.id


async def stored(world: World, style_id: StyleId) -> StyleVersion:
    return await world.training_of(style_id)


async def tasks(world: World) -> list[bytes]:
    return [task.body for task in await world.tasks()]


async def last_line(world: World) -> AuditLine:
    return (await world.read.audit.list(page=PageRequest())).rows[0]


@pytest.fixture
async def eve(world: World) -> Operator:
    return Operator((await world.admin("eve")).id)


@pytest.fixture
async def zoe(world: World) -> User:
    return await world.artist("zoe")


@pytest.fixture
async def original(world: World, mia: User) -> StyleId:
    """Mia's style, trained as any other."""
    style_id = await make(world, mia, "Ink", DRAWINGS[:10])
    await world.publish()
    return style_id


@pytest.fixture
async def copied(world: World, original: StyleId, zoe: User) -> StyleId:
    """Zoe's style, of which one artwork is a copy of Mia's."""
    return await make(world, zoe, "Oil", [*DRAWINGS[10:19], COPY])


async def test_a_style_with_a_near_copy_waits_for_review(
    world: World, copied: StyleId, original: StyleId, mia: User, zoe: User
) -> None:
    style = await stored(world, copied)
    assert (style.training_status, style.review) == (TrainingStatus.PENDING, Review.PENDING)
    assert await tasks(world) == []

    detail = await world.read.styles.detail(copied, viewer=Requester(zoe.id, zoe.role, is_artist=True))
    assert isinstance(detail, OwnStyleDetail)
    assert detail.review is Review.PENDING
    [pair] = await world.read.styles.near_copies(copied)
    own = await commit(world, lambda ports: ports.versions.artworks(VersionId(copied)))
    others = await commit(world, lambda ports: ports.versions.artworks(VersionId(original)))
    assert (pair.artwork.id, pair.artwork.style_name, pair.artwork.artist.username) == (own[9].id, "Oil", "zoe")
    assert (pair.resembles.id, pair.resembles.style_id, pair.resembles.artist.id) == (
        others[3].id,
        original,
        mia.id,
    )
    assert pair.artwork.image_url == await world.blobs.signed_url(own[9].key)
    assert pair.resembles.image_url == await world.blobs.signed_url(others[3].key)
    assert pair.distance <= 7
    assert (await overview(world)) == 1


async def test_direct_uploads_with_a_near_copy_wait_for_review(world: World, original: StyleId, zoe: User) -> None:
    created = await create(world, zoe, await arrived(world, zoe, [*DRAWINGS[10:19], COPY]))
    await world.use_case(CheckArtworks, review=True)(limit=20)

    assert (await stored(world, created.id)).review is Review.PENDING
    assert await tasks(world) == []
    assert len(await world.read.styles.near_copies(created.id)) == 1


async def overview(world: World) -> int:
    now = world.clock.now()
    return (await world.read.overview.overview(now=now, since=now, stalled_since=now)).styles_in_review


async def test_styles_without_near_copies_of_others_do_not_wait(
    world: World, original: StyleId, mia: User, zoe: User
) -> None:
    own = await make(world, mia, "Again", [*DRAWINGS[10:19], COPY])
    other = await make(world, zoe, "Other", [encoded(scene(number, (512, 512)), "PNG") for number in range(30, 40)])

    for style_id in (own, other):
        assert (await stored(world, style_id)).review is None
    assert len(await tasks(world)) == 2
    assert await world.read.styles.near_copies(other) == []
    assert await world.read.styles.near_copies(StyleId(4711)) == []
    assert await overview(world) == 0


async def test_without_review_near_copies_do_not_wait(world: World, original: StyleId, zoe: User) -> None:
    copied = await make(world, zoe, "Oil", [*DRAWINGS[10:19], COPY], review=False)

    assert (await stored(world, copied)).review is None
    assert len(await tasks(world)) == 1
    assert len(await world.read.styles.near_copies(copied)) == 1


async def test_an_approved_style_is_trained(world: World, copied: StyleId, eve: Operator) -> None:
    at = world.clock.advance()

    await world.use_case(ApproveTraining)(eve, copied, reason="Licensed.")

    style = await stored(world, copied)
    assert (style.training_status, style.review, style.updated_at) == (TrainingStatus.PENDING, Review.APPROVED, at)
    [task] = await tasks(world)
    assert f'"style_id":{copied}'.encode() in task
    assert task.count(b"gs://") == 10
    line = await last_line(world)
    assert (line.action, line.target_id, line.reason) == ("training.approved", str(copied), "Licensed.")
    assert (line.before, line.after) == ({"review": "pending"}, {"review": "approved", "version": 1})
    assert await overview(world) == 0
    for decide in (world.use_case(ApproveTraining), world.use_case(RejectTraining)):
        with pytest.raises(NotInReview):
            await decide(eve, copied, reason="Again.")
    assert len(await tasks(world)) == 1


async def test_a_rejected_style_fails_finally(world: World, copied: StyleId, zoe: User, eve: Operator) -> None:
    await world.use_case(RejectTraining)(eve, copied, reason="Copied.")

    style = await stored(world, copied)
    assert (style.training_status, style.review) == (TrainingStatus.FAILED, Review.REJECTED)
    assert style.failure is not None
    assert style.failure.code == "ARTWORKS_REJECTED"
    line = await last_line(world)
    assert (line.action, line.after, line.reason) == (
        "training.rejected",
        {"review": "rejected", "version": 1},
        "Copied.",
    )
    notices = (await world.read.notifications.list(zoe.id, unread_only=False, page=PageRequest()))[0].rows
    assert [(notice.type, notice.target_id) for notice in notices] == [("style_training_failed", copied)]
    assert notices[0].metadata == {
        "style_name": "Oil",
        "version": 1,
        "error_code": "ARTWORKS_REJECTED",
        "error_message": "The artworks resemble those of another artist.",
    }
    with pytest.raises(ArtworksRejected):
        await world.use_case(RetrainStyle)(zoe.id, copied)
    for decide in (world.use_case(ApproveTraining), world.use_case(RejectTraining)):
        with pytest.raises(NotInReview):
            await decide(eve, copied, reason="Again.")
    assert await tasks(world) == []
    await world.use_case(DeleteStyle)(zoe.id, copied)


async def test_a_rejected_copy_does_not_affect_the_original_artist(
    world: World, copied: StyleId, mia: User, eve: Operator
) -> None:
    with_zoes = [DRAWINGS[19], *DRAWINGS[10:19]]
    assert (await stored(world, await make(world, mia, "Before", with_zoes))).review is Review.PENDING

    await world.use_case(RejectTraining)(eve, copied, reason="Copied.")

    assert (await stored(world, await make(world, mia, "After", with_zoes))).review is None


async def test_a_decision_requires_a_style_and_a_reason(world: World, copied: StyleId, eve: Operator) -> None:
    for decide in (world.use_case(ApproveTraining), world.use_case(RejectTraining)):
        with pytest.raises(ValidationError):
            await decide(eve, copied, reason=" ")
        with pytest.raises(StyleNotFound):
            await decide(eve, StyleId(4711), reason="None.")


async def test_a_withdrawn_style_cannot_be_approved(world: World, copied: StyleId, zoe: User, eve: Operator) -> None:
    await world.use_case(WithdrawStyle)(
        Requester(zoe.id, zoe.role, is_artist=True), copied, NewTakedown("Mine."), operator=None
    )

    with pytest.raises(StyleWithdrawn):
        await world.use_case(ApproveTraining)(eve, copied, reason="Licensed.")
    await world.use_case(RejectTraining)(eve, copied, reason="Copied.")


async def test_waiting_for_a_review_does_not_time_out(world: World, copied: StyleId, eve: Operator) -> None:
    time_out = world.use_case(TimeOutTrainings, timeout=TrainingTimeout(TIMEOUT))
    world.clock.advance(2 * TIMEOUT)
    assert await time_out() == 1  # the original, whose training nobody has begun
    assert (await stored(world, copied)).training_status is TrainingStatus.PENDING

    await world.use_case(ApproveTraining)(eve, copied, reason="Licensed.")
    await world.publish()
    assert await time_out() == 0
    world.clock.advance(TIMEOUT)
    assert await time_out() == 1


async def test_a_style_without_hashes_does_not_wait(world: World, original: StyleId, zoe: User) -> None:
    style = await world.untrained_style(zoe, "Plain")
    assert (await stored(world, style.id)).review is None
    assert await world.read.styles.near_copies(style.id) == []
