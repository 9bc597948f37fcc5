"""Decisions of admins on reports: what is taken down or shown again, and who learns of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.audit.model import Operator
from core.community.delete_comment import DeleteComment
from core.community.errors import CommentNotFound
from core.errors import ValidationError
from core.generations.errors import GenerationChanged
from core.generations.model import Generation
from core.generations.publication import Publication
from core.identifiers import ReportId
from core.moderation.allow_style import AllowStyle
from core.moderation.suspend_user import SuspendUser
from core.moderation.unhide_image import UnhideImage
from core.reports.dismiss_report import DismissReport
from core.reports.errors import (
    OwnContentReported,
    ReportNotFound,
    ReportResolved,
)
from core.reports.model import ReportStatus, ReportsToHide, Target, TargetType
from core.reports.uphold_report import UpholdReport
from core.requester import Requester, Role
from core.styles.edit_style import EditStyle, StyleChanges
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from tests.contracts.overlap import Block
from tests.contracts.reports.steps import COMMENT, IMAGE, KINDS, STYLE, USER, Scene, unsaved
from tests.support.scope import Scope
from tests.support.world import World

# --- decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("automatically", [False, True])
@pytest.mark.parametrize("type", TargetType)
async def test_an_upheld_report_takes_the_target_down(
    world: World, scene: Scene, type: TargetType, automatically: bool
) -> None:
    world.reports_to_hide = ReportsToHide(2 if automatically else 0)
    first, second = await scene.report(scene.ann, type), await scene.report(scene.bob, type)
    world.clock.advance()

    await world.use_case(UpholdReport)(scene.eve, first, reason="Not hers.")

    if type is COMMENT:
        with pytest.raises(CommentNotFound):
            await scene.said()
    else:
        assert await scene.hidden(type)
    assert [report.status for report in await scene.reports()] == ["upheld", "upheld"]
    [line] = await scene.lines()
    assert (line.action, line.target_type, line.target_id) == ("report.upheld", type.value, str(scene.ids[type]))
    assert (line.admin_id, line.reason) == (scene.eve.admin_id, "Not hers.")
    assert line.after
    assert line.after["reports"] == [first, second]


@pytest.mark.parametrize("automatically", [False, True])
@pytest.mark.parametrize("type", TargetType)
async def test_a_rejected_report_shows_the_target(
    world: World, scene: Scene, type: TargetType, automatically: bool
) -> None:
    world.reports_to_hide = ReportsToHide(2 if automatically else 0)
    first, second = await scene.report(scene.ann, type), await scene.report(scene.bob, type)
    assert await scene.hidden(type) is (automatically and type is not USER)
    world.clock.advance()

    await world.use_case(DismissReport)(scene.eve, second, reason="It is hers.")

    assert not await scene.hidden(type)
    assert (await scene.said()) == ("Mine is better", False)
    assert (await scene.stored_style()).is_active
    image = await scene.stored_image()
    assert image.public_key
    await world.blobs.get(image.public_key)
    assert [report.status for report in await scene.reports()] == ["dismissed", "dismissed"]
    [line] = await scene.lines()
    assert (line.action, line.target_type, line.target_id) == ("report.dismissed", type.value, str(scene.ids[type]))
    assert line.after
    assert line.after["reports"] == [first, second]


@pytest.mark.parametrize(("kind", "outcome"), [(UpholdReport, "upheld"), (DismissReport, "dismissed")])
@pytest.mark.parametrize("type", [IMAGE, STYLE, COMMENT])
async def test_reporters_and_owner_are_notified_anonymously(
    world: World, scene: Scene, type: TargetType, kind: type[Any], outcome: str
) -> None:
    report_id = await scene.report(scene.ann, type, text="I am Ann")
    await scene.report(scene.bob, type)
    world.clock.advance()

    await world.use_case(kind)(scene.eve, report_id, reason="Ann is right, or not.")

    for who, expected in (
        (scene.ann, "report_resolved"),
        (scene.bob, "report_resolved"),
        (scene.mia, "content_reviewed"),
    ):
        [item] = await scene.notified(who)
        assert (item.type, item.target_type, item.target_id) == (expected, type.value, scene.ids[type])
        assert (item.actor, item.metadata) == (None, {"outcome": outcome})
        assert (item.target is None) is (type is COMMENT)
    assert await scene.notified(scene.cid) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_decision_is_final(world: World, scene: Scene, kind: type[Any]) -> None:
    first, second = await scene.report(scene.ann, IMAGE), await scene.report(scene.bob, IMAGE)
    await world.use_case(DismissReport)(scene.eve, first, reason="It is hers.")
    for report_id in (first, second):
        with pytest.raises(ReportResolved):
            await world.use_case(kind)(scene.eve, report_id, reason="Not hers.")
    assert len(await scene.lines()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_decision_requires_a_report_and_a_reason(world: World, scene: Scene, kind: type[Any]) -> None:
    with pytest.raises(ReportNotFound):
        await world.use_case(kind)(scene.eve, ReportId(2**62), reason="Not hers.")
    with pytest.raises(ValidationError):
        await world.use_case(kind)(scene.eve, await scene.report(scene.ann, IMAGE), reason=" ")


@pytest.mark.parametrize("kind", KINDS)
async def test_admins_cannot_decide_on_their_own_content(world: World, scene: Scene, kind: type[Any]) -> None:
    report_id = await scene.report(scene.ann, STYLE)
    with pytest.raises(OwnContentReported):
        await world.use_case(kind)(Operator(scene.mia.id), report_id, reason="It is mine.")
    await world.use_case(kind)(Operator(None), report_id, reason="By command.")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type", TargetType)
async def test_reports_of_deleted_targets_can_be_decided(
    world: World, scene: Scene, type: TargetType, kind: type[Any]
) -> None:
    """A comment or a style can be deleted by its author; only tests remove the others."""
    report_id = await scene.report(scene.ann, type)
    missing = 2**62
    async with world.block() as ports:
        report = await ports.reports.of_id(report_id)
    scene.ids[type] = missing
    gone = await unsaved(world, scene, scene.bob, type)
    assert gone.target != report.target
    async with world.block() as ports:
        await ports.reports.add(gone)

    await world.use_case(kind)(scene.eve, gone.id, reason="Gone.")

    assert (await world.read.reports.of_reporter(scene.bob.id, gone.id)).status != "open"
    [line] = await scene.lines()
    assert (line.before, line.after) == ({}, {"reports": [gone.id]})
    [item] = await scene.notified(scene.bob)
    assert item.target is None


async def test_a_report_of_a_deleted_comment_can_be_decided(world: World, scene: Scene) -> None:
    report_id = await scene.report(scene.ann, COMMENT)
    await world.use_case(DeleteComment)(Requester(scene.mia.id, Role.ARTIST, is_artist=True), scene.comment)
    await world.use_case(UpholdReport)(scene.eve, report_id, reason="Spam.")
    assert [report.status for report in await scene.reports()] == ["upheld"]


@pytest.mark.parametrize("kind", KINDS)
async def test_one_of_two_concurrent_decisions_counts(world: World, scene: Scene, kind: type[Any]) -> None:
    world.reports_to_hide = ReportsToHide(1)
    report_id = await scene.report(scene.ann, STYLE)
    decisions = [world.use_case(one)(scene.eve, report_id, reason="Seen.") for one in (UpholdReport, kind)]

    answers = await asyncio.gather(*decisions, return_exceptions=True)

    assert {type(answer) for answer in answers} == {type(None), ReportResolved}
    assert len(await scene.lines()) == 1
    assert len(await scene.notified(scene.ann)) == 1


async def test_concurrent_decisions_on_a_report_are_serialised(world: World, scene: Scene) -> None:
    report_id = await scene.report(scene.ann, STYLE)

    async def first(ports: Scope) -> None:
        await ports.styles.of_id(scene.style.id, lock=True)
        [report] = await ports.reports.open_on(Target(STYLE, scene.style.id))
        await ports.reports.save(report.resolve(ReportStatus.DISMISSED, at=world.clock.now(), by=None))

    leading = await Block(world, first).open()
    following = asyncio.create_task(world.use_case(UpholdReport)(scene.eve, report_id, reason="Not hers."))
    while not (following.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    await leading.commit()

    with pytest.raises(ReportResolved):
        await following
    assert await scene.lines() == []


# --- shown again ------------------------------------------------------------------------------------------------------


async def test_a_generation_shown_by_an_admin_is_left_unchanged(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    report_id = await scene.report(scene.ann, IMAGE)
    await world.use_case(UnhideImage)(scene.eve, scene.image.id, reason="It was hers.")

    await world.use_case(DismissReport)(scene.eve, report_id, reason="It is hers.")

    image = await scene.stored_image()
    assert (image.hidden, image.is_public) == (False, False)  # its owner publishes it


async def test_a_concurrently_unhidden_generation_fails_the_decision(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    report_id = await scene.report(scene.ann, IMAGE)
    publication = world.use_case(Publication)
    before = await world.blobs.keys("")

    async def and_unhide(image: Generation) -> str:
        key = await publication(image)
        await world.use_case(UnhideImage)(scene.eve, image.id, reason="It was hers.")
        return key

    with pytest.raises(GenerationChanged):
        await world.use_case(DismissReport, publication=and_unhide)(scene.eve, report_id, reason="It is hers.")

    assert await world.blobs.keys("") == before
    assert [report.status for report in await scene.reports()] == ["open"]


@pytest.mark.parametrize("keep_images", [True, False])
async def test_a_generation_of_a_withdrawn_style_can_be_shown_again(
    world: World, scene: Scene, keep_images: bool
) -> None:
    world.reports_to_hide = ReportsToHide(1)
    report_id = await scene.report(scene.ann, IMAGE)
    mia = Requester(scene.mia.id, Role.ARTIST, is_artist=True)
    await world.use_case(WithdrawStyle)(mia, scene.style.id, NewTakedown("Not mine.", keep_images))

    await world.use_case(DismissReport)(scene.eve, report_id, reason="It is hers.")

    image = await scene.stored_image()
    assert (image.hidden, image.is_public) == (False, keep_images)


async def test_a_style_allowed_by_an_admin_is_left_unchanged(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    report_id = await scene.report(scene.ann, STYLE)
    await world.use_case(AllowStyle)(scene.eve, scene.style.id, reason="It was hers.")

    await world.use_case(DismissReport)(scene.eve, report_id, reason="It is hers.")

    assert not (await scene.stored_style()).is_active


@pytest.mark.parametrize("why", ["closed by its artist", "withdrawn", "expired", "without its artist"])
async def test_a_style_closed_for_another_reason_stays_closed(world: World, scene: Scene, why: str) -> None:
    world.reports_to_hide = ReportsToHide(1)
    if why == "closed by its artist":
        await world.use_case(EditStyle)(scene.mia.id, scene.style.id, StyleChanges(is_active=False))
    if why == "expired":
        soon = world.clock.now() + timedelta(hours=1)
        await world.use_case(EditStyle)(scene.mia.id, scene.style.id, StyleChanges(valid_to=soon))
    report_id = await scene.report(scene.ann, STYLE)
    if why == "withdrawn":
        mia = Requester(scene.mia.id, Role.ARTIST, is_artist=True)
        await world.use_case(WithdrawStyle)(mia, scene.style.id, NewTakedown("Not mine."))
    if why == "without its artist":
        await world.use_case(SuspendUser)(scene.eve, scene.mia.id, reason="Spam.")
    world.clock.advance(timedelta(hours=2))

    await world.use_case(DismissReport)(scene.eve, report_id, reason="It is hers.")

    style = await scene.stored_style()
    assert (style.is_active, style.closed_by_admin) == (False, False)
