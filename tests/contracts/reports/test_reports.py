"""Reports of users: who can report what, and when reports hide it."""

import asyncio
from typing import Any

import pytest

from core.accounts.errors import UserNotFound
from core.accounts.model import Standing
from core.audit.model import Operator
from core.community.edit_comment import EditComment
from core.community.errors import CommentNotFound
from core.community.post_comment import NewComment, PostComment
from core.errors import ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import GenerationNotFound
from core.identifiers import UserId
from core.moderation.suspend_user import SuspendUser
from core.paging import PageRequest
from core.ports.blob_store import BlobNotFound
from core.reports.dismiss_report import DismissReport
from core.reports.errors import (
    AlreadyReported,
    ReportNotFound,
    SelfReportNotAllowed,
)
from core.reports.model import ReportReason, ReportStatus, ReportsToHide, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.views import ReportView
from core.styles.errors import StyleNotFound
from tests.contracts.overlap import Block, race
from tests.contracts.reports.steps import COMMENT, IMAGE, KINDS, STYLE, USER, Scene, unsaved
from tests.support.scope import Scope
from tests.support.world import World

# --- reporting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", TargetType)
async def test_a_single_report_hides_nothing(world: World, scene: Scene, type: TargetType) -> None:
    report_id = await scene.report(scene.ann, type, text="Taken from\r\nmy page")

    mine = await world.read.reports.of_reporter(scene.ann.id, report_id)
    now = world.clock.now()
    assert mine == ReportView(
        report_id, type.value, scene.ids[type], "copyright", "Taken from\nmy page", "open", now, None
    )
    [listed] = await scene.reports(status=ReportStatus.OPEN)
    assert (listed.reporter_id, listed.owner_id, listed.owner, listed.hid) == (
        scene.ann.id,
        scene.mia.id,
        "mia",
        False,
    )
    assert not await scene.hidden(type)
    assert await scene.notified(scene.mia) == []
    assert await scene.lines() == []


async def test_a_report_is_visible_to_its_reporter_only(world: World, scene: Scene) -> None:
    report_id = await scene.report(scene.ann, IMAGE)
    for who in (scene.bob, scene.mia):
        with pytest.raises(ReportNotFound):
            await world.read.reports.of_reporter(who.id, report_id)


@pytest.mark.parametrize("type", TargetType)
async def test_a_second_report_by_one_user_is_refused(scene: Scene, type: TargetType) -> None:
    await scene.report(scene.ann, type)
    with pytest.raises(AlreadyReported):
        await scene.report(scene.ann, type)
    await scene.report(scene.bob, type)
    assert len(await scene.reports()) == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_a_decided_target_cannot_be_reported_again(world: World, scene: Scene, kind: type[Any]) -> None:
    await world.use_case(kind)(scene.eve, await scene.report(scene.ann, STYLE), reason="Seen.")
    with pytest.raises(AlreadyReported):
        await scene.report(scene.ann, STYLE)


@pytest.mark.parametrize("type", TargetType)
async def test_own_targets_cannot_be_reported(scene: Scene, type: TargetType) -> None:
    with pytest.raises(SelfReportNotAllowed):
        await scene.report(scene.mia, type)
    assert await scene.reports() == []


async def test_an_invisible_target_is_not_found(world: World, scene: Scene) -> None:
    await world.use_case(EditGeneration)(scene.mia.id, scene.image.id, GenerationChanges(is_public=False))
    scene.ids[STYLE] = (await world.untrained_style(scene.mia, "Oil")).id
    await world.use_case(SuspendUser)(Operator(None), scene.bob.id, reason="Spam.")
    scene.ids[USER] = scene.bob.id

    for type, error in ((IMAGE, GenerationNotFound), (COMMENT, CommentNotFound), (STYLE, StyleNotFound)):
        with pytest.raises(error):
            await scene.report(scene.ann, type)
    with pytest.raises(UserNotFound):
        await scene.report(scene.ann, USER)
    with pytest.raises(SelfReportNotAllowed):
        await scene.report(scene.mia, STYLE)  # one's own is seen


@pytest.mark.parametrize("type", TargetType)
async def test_an_unknown_target_is_not_found(world: World, scene: Scene, type: TargetType) -> None:
    scene.ids[type] = 2**62
    with pytest.raises((GenerationNotFound, StyleNotFound, CommentNotFound, UserNotFound)):
        await scene.report(scene.ann, type)


@pytest.mark.parametrize("text", ["x" * 1001, "\x00", "a\x07"])
async def test_a_text_is_validated(scene: Scene, text: str) -> None:
    with pytest.raises(ValidationError):
        await scene.report(scene.ann, IMAGE, text=text)


async def test_a_blank_text_is_stored_as_null(world: World, scene: Scene) -> None:
    report_id = await scene.report(scene.ann, IMAGE, text=" \n")
    assert (await world.read.reports.of_reporter(scene.ann.id, report_id)).text is None


async def test_an_unknown_reporter_is_refused(world: World, scene: Scene) -> None:
    with pytest.raises(UserNotFound):
        await world.use_case(SubmitReport)(UserId(2**62), NewReport(IMAGE, scene.image.id, ReportReason.OTHER))


# --- hidden by reports ------------------------------------------------------------------------------------------------


async def test_enough_reports_hide_a_generation(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(2)
    assert scene.image.public_key
    await scene.report(scene.ann, IMAGE)
    assert (await scene.stored_image()).is_public

    await scene.report(scene.bob, IMAGE)

    hidden = await scene.stored_image()
    assert (hidden.hidden, hidden.is_public) == (True, False)
    with pytest.raises(BlobNotFound):
        await world.blobs.get(scene.image.public_key)
    with pytest.raises(GenerationNotFound):
        await scene.report(scene.cid, IMAGE)
    assert [report.hid for report in await scene.reports()] == [True, False]
    assert await scene.lines() == []  # no admin has done it


async def test_enough_reports_close_a_style(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    await scene.report(scene.ann, STYLE)
    await scene.report(scene.bob, STYLE)

    style = await scene.stored_style()
    assert (style.is_active, style.closed_by_admin) == (False, True)
    assert [report.hid for report in await scene.reports()] == [False, True]


async def test_enough_reports_hide_a_comment(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    reply = await world.use_case(PostComment)(scene.bob.id, scene.image.id, NewComment("No", scene.comment))
    await scene.report(scene.ann, COMMENT)
    scene.ids[COMMENT] = reply
    await scene.report(scene.ann, COMMENT)
    scene.ids[COMMENT] = scene.comment
    await scene.report(scene.bob, COMMENT)

    [view] = (await world.read.community.comments(scene.image.id, viewer=None, page=PageRequest())).rows
    assert (view.content, view.is_hidden, view.reply_count) == ("", True, 1)
    assert [(one.content, one.is_hidden) for one in view.replies] == [("", True)]
    replies = (await world.read.community.replies(scene.comment, viewer=None, page=PageRequest())).rows
    assert [(one.content, one.is_hidden) for one in replies] == [("", True)]
    await world.use_case(EditComment)(scene.mia.id, scene.comment, "Mine is much better")
    assert await scene.said() == ("", True)
    assert sorted(report.hid for report in await scene.reports()) == [False, True, True]


async def test_reports_do_not_hide_users(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(1)
    await scene.report(scene.ann, USER)
    assert await scene.standing() is Standing.PRESENT


async def test_reporters_are_counted_since_the_last_decision(world: World, scene: Scene) -> None:
    world.reports_to_hide = ReportsToHide(2)
    await world.use_case(DismissReport)(scene.eve, await scene.report(scene.ann, STYLE), reason="It is hers.")
    await scene.report(scene.bob, STYLE)
    assert not await scene.hidden(STYLE)
    await scene.report(scene.cid, STYLE)
    assert await scene.hidden(STYLE)


@pytest.mark.parametrize("type", [IMAGE, STYLE, COMMENT])
async def test_one_of_concurrent_reports_hides_the_target(world: World, scene: Scene, type: TargetType) -> None:
    world.reports_to_hide = ReportsToHide(3)
    crowd = [await world.user(f"user-{number}") for number in range(6)]

    answers = await asyncio.gather(*(scene.report(who, type) for who in crowd), return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(error, GenerationNotFound) for error in refused)
    assert len(refused) == (3 if type is IMAGE else 0)  # of which there is nothing more to see
    assert await scene.hidden(type)
    assert sum(report.hid for report in await scene.reports()) == 1


@pytest.mark.parametrize("type", [IMAGE, STYLE, COMMENT])
async def test_concurrent_reports_of_a_target_are_serialised(world: World, scene: Scene, type: TargetType) -> None:
    """Otherwise neither would see the other's report."""
    world.reports_to_hide = ReportsToHide(2)

    async def first(ports: Scope) -> None:
        match type:
            case TargetType.GENERATION:
                await ports.generations.of_id(scene.image.id, lock=True)
            case TargetType.STYLE:
                await ports.styles.of_id(scene.style.id, lock=True)
            case _:
                await ports.comments.of_id(scene.comment, lock=True)
        await ports.reports.add(await unsaved(world, scene, scene.ann, type))

    leading = await Block(world, first).open()
    following = asyncio.create_task(scene.report(scene.bob, type))
    while not (following.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    assert not following.done()
    await leading.commit()
    await following

    assert await scene.hidden(type)


async def test_one_of_two_concurrent_reports_by_one_user_is_kept(world: World, scene: Scene, sent: bool) -> None:
    one, other = await unsaved(world, scene, scene.ann, USER), await unsaved(world, scene, scene.ann, USER)
    outcome = await race(world, lambda ports: ports.reports.add(one), lambda ports: ports.reports.add(other), sent=sent)
    assert (outcome.first, type(outcome.second)) == (None, AlreadyReported)
