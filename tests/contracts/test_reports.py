"""What users report, what is hidden by it, and what admins decide."""

import asyncio
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from core.accounts.errors import UserNotFound
from core.accounts.model import Standing, User
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.errors import CommentNotFound
from core.community.post_comment import NewComment, PostComment
from core.errors import ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import GenerationChanged, GenerationNotFound
from core.generations.model import Generation
from core.generations.publication import Publication
from core.identifiers import ReportId, UserId
from core.moderation.allow_style import AllowStyle
from core.moderation.suspend_user import SuspendUser
from core.moderation.unhide_image import UnhideImage
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.ports.blob_store import Blob, BlobNotFound
from core.reports.dismiss_report import DismissReport
from core.reports.errors import (
    AlreadyReported,
    OwnContentReported,
    ReportNotFound,
    ReportResolved,
    SelfReportNotAllowed,
)
from core.reports.model import Report, ReportReason, ReportStatus, ReportsToHide, Target, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.uphold_report import UpholdReport
from core.reports.views import ReportToResolve, ReportView
from core.requester import Requester, Role
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import StyleNotFound
from core.styles.model import Style
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from tests.contracts.overlap import Block, race
from tests.support.pictures import picture
from tests.support.world import Scope, World

IMAGE, STYLE, COMMENT, USER = TargetType.GENERATION, TargetType.STYLE, TargetType.COMMENT, TargetType.USER
KINDS = [UpholdReport, DismissReport]


class Scene:
    """Mia's style and image, with a comment of hers, and others who do not like them."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set(self) -> None:
        world = self.world
        self.mia, self.ann, self.bob, self.cid = (
            await world.artist("mia", tokens=100),
            await world.user("ann"),
            await world.user("bob"),
            await world.user("cid"),
        )
        self.eve = Operator((await world.admin("eve")).id)
        self.style = await world.style(self.mia)
        image = await world.image(self.mia, self.style)
        assert image.result_key
        await world.blobs.put(Blob(image.result_key, BytesIO(picture()), "image/png"))
        await world.use_case(EditGeneration)(self.mia.id, image.id, GenerationChanges(is_public=True))
        self.image = await self.stored_image(image)
        self.comment = await world.use_case(PostComment)(self.mia.id, image.id, NewComment("Mine is better"))
        self.ids: dict[TargetType, int] = {
            IMAGE: image.id,
            STYLE: self.style.id,
            COMMENT: self.comment,
            USER: self.mia.id,
        }

    async def report(self, who: User, type: TargetType, *, text: str | None = None) -> ReportId:
        new = NewReport(type, self.ids[type], ReportReason.COPYRIGHT, text)
        return await self.world.use_case(SubmitReport)(who.id, new)

    async def stored_image(self, image: Generation | None = None) -> Generation:
        async with self.world.block() as ports:
            return await ports.generations.of_id((image or self.image).id)

    async def stored_style(self) -> Style:
        async with self.world.block() as ports:
            return await ports.styles.of_id(self.style.id)

    async def said(self) -> tuple[str, bool]:
        """The comment as others see it."""
        view = await self.world.read.community.comment(self.comment, viewer=None)
        return view.content, view.is_hidden

    async def standing(self) -> Standing:
        async with self.world.block() as ports:
            try:
                return (await ports.users.of_id(self.mia.id)).standing
            except UserNotFound:
                return (await ports.users.suspended(self.mia.id)).standing

    async def hidden(self, type: TargetType) -> bool:
        match type:
            case TargetType.GENERATION:
                return (await self.stored_image()).hidden
            case TargetType.STYLE:
                return (await self.stored_style()).closed_by_admin
            case TargetType.COMMENT:
                return (await self.said())[1]
            case TargetType.USER:
                return await self.standing() is not Standing.PRESENT

    async def reports(self, *, status: ReportStatus | None = None) -> list[ReportToResolve]:
        return (await self.world.read.reports.list(status=status, page=PageRequest())).rows

    async def notified(self, who: User) -> list[NotificationItem]:
        page, _ = await self.world.read.notifications.list(who.id, unread_only=False, page=PageRequest())
        return [item for item in page.rows if item.type in ("report_resolved", "content_reviewed")]

    async def lines(self) -> list[AuditLine]:
        return (await self.world.read.audit.list(page=PageRequest())).rows


@pytest.fixture
async def scene(world: World) -> Scene:
    scene = Scene(world)
    await scene.set()
    return scene


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


async def unsaved(world: World, scene: Scene, who: User, type: TargetType) -> Report:
    return Report(
        await world.ids.report(),
        who.id,
        Target(type, scene.ids[type]),
        scene.mia.id,
        ReportReason.OTHER,
        None,
        world.clock.now(),
    )


async def test_one_of_two_concurrent_reports_by_one_user_is_kept(world: World, scene: Scene, sent: bool) -> None:
    one, other = await unsaved(world, scene, scene.ann, USER), await unsaved(world, scene, scene.ann, USER)
    outcome = await race(world, lambda ports: ports.reports.add(one), lambda ports: ports.reports.add(other), sent=sent)
    assert (outcome.first, type(outcome.second)) == (None, AlreadyReported)


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
