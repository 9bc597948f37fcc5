"""Reports whose reporter's or owner's account is deleted."""

import pytest

from core.accounts.model import User
from core.audit.model import Operator
from core.identifiers import ReportId
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.uphold_report import UpholdReport
from core.reports.views import ReportToResolve
from tests.contracts.deletion.steps import PAGE, delete, gone, say
from tests.support.world import World


async def reports(world: World) -> list[ReportToResolve]:
    return (await world.read.reports.list(status=None, page=PAGE)).rows


async def report(world: World, who: User, type: TargetType, target_id: int) -> ReportId:
    return await world.use_case(SubmitReport)(who.id, NewReport(type, target_id, ReportReason.SPAM, "Hers, not mine"))


async def test_reports_of_a_deleted_user_are_anonymised(world: World) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    report_id = await report(world, ann, TargetType.USER, bob.id)

    await delete(world, ann)

    [kept] = await reports(world)
    assert (kept.id, kept.reporter_id, kept.text, kept.status) == (report_id, None, None, "open")
    await world.use_case(UpholdReport)(Operator(None), report_id, reason="Spam.")


@pytest.mark.parametrize("batch", [1, 500])
async def test_reports_are_deleted_with_their_target(world: World, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.account_deletion.erase_account.BATCH", batch)
    mia, ann, bob = await world.artist("mia", tokens=100), await world.user("ann"), await world.user("bob")
    style = await world.style(mia)
    image = await world.image(mia, style, public=True)
    comment = await say(world, mia, image)
    for who in (ann, bob):
        for type, target_id in (
            (TargetType.GENERATION, image.id),
            (TargetType.STYLE, style.id),
            (TargetType.COMMENT, comment),
            (TargetType.USER, mia.id),
        ):
            await report(world, who, type, target_id)

    await delete(world, mia)

    assert await reports(world) == []
    assert await gone(world, mia)


async def test_reports_of_kept_targets_are_kept(world: World) -> None:
    mia, ann, bob = await world.artist("mia", tokens=100), await world.user("ann", tokens=100), await world.user("bob")
    style = await world.style(mia)
    image = await world.image(mia, style, public=True)
    await world.image(ann, style)
    comment = await say(world, mia, image)
    kept = [
        await report(world, bob, TargetType.GENERATION, image.id),
        await report(world, bob, TargetType.STYLE, style.id),
    ]
    await report(world, bob, TargetType.COMMENT, comment)
    await report(world, bob, TargetType.USER, mia.id)

    await delete(world, mia)

    assert sorted(row.id for row in await reports(world)) == sorted(kept)
    await world.use_case(UpholdReport)(Operator(None), kept[0], reason="Spam.")
