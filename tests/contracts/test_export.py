"""An export has all personal data of the user, and none of others."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.export_account import ExportAccount
from core.accounts.errors import UserNotFound
from core.accounts.model import Session, User
from core.accounts.sign_in import token_hash
from core.community.post_comment import NewComment, PostComment
from core.purchases.start_purchase import StartPurchase
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.requester import Requester, Role
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.support.world import World


async def exported(world: World, user: User) -> dict[str, object]:
    read = world.read
    export = ExportAccount(
        read.export,
        read.accounts,
        read.styles,
        read.versions,
        read.generations,
        read.community,
        read.tokens,
        read.withdrawals,
        read.notifications,
    )
    sections = await export(Requester(user.id, Role.USER, is_artist=True))
    return {
        name: msgspec.to_builtins([row async for row in rows] if isinstance(rows, AsyncIterator) else rows)
        for name, rows in sections.items()
    }


async def sample_data(world: World, user: User, other: User) -> None:
    """Data of every kind for two users, of whom neither has used the other's style."""
    styles = {who.id: await world.style(who) for who in (user, other)}
    images = {
        who.id: await world.image(who, styles[who.id], public=True, description=f"made by {who.username}")
        for who in (user, other)
    }
    for who, whom in ((user, other), (other, user)):
        now = world.clock.now()
        image = images[whom.id]
        await world.like(who, image)
        await world.follow(who, whom)
        await world.use_case(PostComment)(who.id, image.id, NewComment(f"said by {who.username}"))
        reported = NewReport(TargetType.USER, whom.id, ReportReason.OTHER, f"reported by {who.username}")
        await world.use_case(SubmitReport)(who.id, reported)
        await world.use_case(StartPurchase)(who.id, "basic_100")
        fan = await world.earn(who, 1, styles[who.id])
        await world.use_case(RequestWithdrawal)(who.id, 1)
        await world.use_case(DeleteAccount)(fan.id)
        async with world.block() as ports:
            session = Session.start(
                await world.ids.session(),
                token_hash(who.username),
                who.id,
                at=now,
                user_agent=f"used by {who.username}",
            )
            await ports.sessions.add(session)


async def test_an_export_has_all_ones_own_data_only(world: World) -> None:
    mia, zoe = await world.artist("mia", tokens=500), await world.artist("zoe", tokens=500)
    await sample_data(world, mia, zoe)

    data = await exported(world, mia)

    assert {name for name, rows in data.items() if not rows} == set()
    text = msgspec.json.encode(data).decode()
    for own in ("mia@example.com", "made by mia", "said by mia", "used by mia", "reported by mia", '"subject":"mia"'):
        assert own in text
    for foreign in (
        "zoe@example.com",
        "made by zoe",
        "said by zoe",
        "used by zoe",
        "reported by zoe",
        token_hash("mia").hex(),
    ):
        assert foreign not in text
    for name in (
        "sessions",
        "styles",
        "generations",
        "likes",
        "comments",
        "reports",
        "following",
        "followers",
        "purchases",
    ):
        rows = data[name]
        assert isinstance(rows, list)
        assert len(rows) == 1, name


async def test_an_export_is_read_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.account_deletion.export_account.BATCH", 2)
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=500)
    style = await world.style(mia)
    fans = [await world.user(f"fan-{n}") for n in range(5)]
    images = [await world.image(ann, style, public=True) for _ in range(5)]
    comments = [await world.use_case(PostComment)(ann.id, image.id, NewComment("Mine")) for image in images]
    now = world.clock.now()
    async with world.block() as ports:
        for browser in range(5):
            session = Session.start(
                await world.ids.session(), token_hash(str(browser)), ann.id, at=now, user_agent=f"browser {browser}"
            )
            await ports.sessions.add(session)
    orders = [(await world.use_case(StartPurchase)(ann.id, "basic_100")).order_id for _ in range(5)]
    for fan, image in zip(fans, images, strict=True):
        await world.like(ann, image)
        await world.follow(ann, fan)
        await world.follow(fan, ann)

    for fan in fans:
        await world.use_case(SubmitReport)(ann.id, NewReport(TargetType.USER, fan.id, ReportReason.SPAM))

    data = await exported(world, ann)

    def ids(section: str, field: str = "id") -> list[Any]:
        rows = data[section]
        assert isinstance(rows, list)
        return sorted(row[field] for row in rows)

    assert ids("generations") == ids("likes", "generation_id") == sorted(image.id for image in images)
    assert ids("comments") == sorted(comments)
    assert ids("following") == ids("followers") == sorted(fan.id for fan in fans)
    assert ids("reports", "target_id") == sorted(fan.id for fan in fans)
    assert ids("sessions", "user_agent") == [f"browser {number}" for number in range(5)]
    assert ids("purchases", "order_id") == sorted(orders)
    assert len(ids("notifications")) == 5
    assert len(ids("transactions")) == 6


async def test_a_deleted_user_cannot_be_exported(world: World) -> None:
    ann = await world.user("ann")
    await world.use_case(DeleteAccount)(ann.id)

    with pytest.raises(UserNotFound):
        await exported(world, ann)


async def test_an_artists_export_has_no_prompts_of_private_images(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    await world.image(ann, await world.style(mia), prompt_tags=["secret"], description="a secret")

    assert b"secret" not in msgspec.json.encode(await exported(world, mia))
    assert b"secret" in msgspec.json.encode(await exported(world, ann))
