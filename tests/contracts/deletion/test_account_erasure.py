"""Erasing a deleted account's data: in steps, after interruptions, the user's row last."""

from datetime import datetime, timedelta

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.erase_account import EraseAccount
from core.account_deletion.erase_accounts import EraseAccounts
from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.community.unfollow_user import UnfollowUser
from core.ports.blob_store import StoreUnavailable
from core.ports.clock import Clock
from core.ports.transaction import OutcomeUnknown
from core.styles.model import Style
from tests.contracts.deletion.steps import PAGE, delete, gone, say, store
from tests.contracts.overlap import commit
from tests.core.failing import LosesConnection, failing
from tests.support.world import World

# --- pieces -----------------------------------------------------------------------------------------------------------


async def test_an_interrupted_erasure_is_resumed(world: World, mia: User, ann: User, bob: User, style: Style) -> None:
    image, liked = await world.image(ann, style, public=True), await world.image(mia, style, public=True)
    await world.like(ann, liked)
    await world.like(bob, image)
    at = 0
    while True:
        at += 1
        scope = world.scope()
        transaction = LosesConnection(scope.transaction, at=at)
        ports = {name: getattr(scope, name) for name in scope.__slots__} | {"transaction": transaction}
        try:
            if at == 1:
                await world.use_case(DeleteAccount, **ports)(ann.id)
                raise AssertionError("nothing was interrupted")
            if await world.use_case(EraseAccount, **ports)(ann.id):
                break
        except OutcomeUnknown:
            assert await world.scope().sessions.requester(b"", at=world.clock.now()) is None
    assert at > 8
    assert await gone(world, ann)
    assert (await world.read.generations.detail(liked.id, viewer=None)).like_count == 0


@pytest.mark.parametrize(("step", "used"), [("_deactivate", True), ("_remove_style", False)])
async def test_an_erasure_that_another_one_overtakes_changes_nothing(
    world: World,
    mia: User,
    ann: User,
    style: Style,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
    used: bool,
) -> None:
    if used:
        await world.image(ann, style)
    overtaken = getattr(EraseAccount, step)

    async def after_another(erasure: EraseAccount, row_id: int) -> object:
        monkeypatch.undo()
        assert await world.use_case(EraseAccount)(mia.id)
        return await overtaken(erasure, row_id)

    monkeypatch.setattr(EraseAccount, step, after_another)
    await delete(world, mia)

    assert getattr(EraseAccount, step) is overtaken
    assert not caplog.messages
    assert await gone(world, mia) is not used
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(mia.id, viewer=ann.id)


async def test_the_maintenance_pass_finishes_a_long_deletion(
    world: World, mia: User, ann: User, bob: User, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.account_deletion.erase_account.BATCH", 2)
    monkeypatch.setattr("core.account_deletion.erase_account.MAX_ROUNDS", 2)
    images = [await world.image(mia, style, public=True) for _ in range(7)]
    own = [await world.image(ann, style, public=True) for _ in range(5)]
    for image in images:
        await world.like(ann, image)
        comment = await say(world, ann, image)
        for _ in range(3):
            await say(world, bob, image, to=comment)
    for image in own:
        await world.like(bob, image)
        await say(world, bob, image, to=await say(world, bob, image))

    await delete(world, ann)
    assert not await gone(world, ann)
    with pytest.raises(UserNotFound):
        await world.read.accounts.profile(ann.id, viewer=None)
    passes = 0
    while not await world.use_case(EraseAccounts)():
        passes += 1
        for image in images:
            shown = await world.read.generations.detail(image.id, viewer=bob.id)
            comments = (await world.read.community.comments(image.id, viewer=None, page=PAGE)).rows
            assert shown.comment_count == sum(1 + row.reply_count for row in comments)

    assert passes > 2
    assert await gone(world, ann)
    assert await world.use_case(EraseAccounts)() == 0
    for image in images:
        shown = await world.read.generations.detail(image.id, viewer=bob.id)
        assert (shown.like_count, shown.comment_count) == (0, 0)


async def test_the_deletion_call_has_a_time_limit(world: World, mia: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.account_deletion.erase_account.BATCH", 1)
    fans = [await world.user(f"fan-{number}") for number in range(10)]
    for fan in fans:
        await world.follow(fan, mia)

    class AdvancingClock(Clock):
        """A second passes at each look."""

        def now(self) -> datetime:
            return world.clock.advance(timedelta(seconds=1))

    await world.use_case(DeleteAccount, clock=AdvancingClock())(mia.id)

    assert not await gone(world, mia)
    assert await world.use_case(EraseAccounts)() == 1
    assert await gone(world, mia)


async def test_objects_are_removed_once_the_store_is_available(world: World, ann: User, style: Style) -> None:
    image = await world.image(ann, style)
    await store(world, str(image.result_key), f"public/profiles/{ann.id}/x.png", "public/profiles/0/x.png")
    away = failing(world.blobs, "delete", StoreUnavailable())

    await world.use_case(DeleteAccount, blobs=away)(ann.id)
    assert await gone(world, ann)
    assert await world.blobs.keys("generations/") == [image.result_key]
    await world.use_case(DeleteDiscardedObjects)()

    assert [key for key in await world.blobs.keys("") if not key.startswith("signatures/")] == [
        "public/profiles/0/x.png"
    ]


# --- the last step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "left", ["like", "comment", "follow", "follower", "recipient", "actor", "image", "style", "nothing"]
)
async def test_the_row_of_a_user_is_removed_last(world: World, mia: User, ann: User, style: Style, left: str) -> None:
    zoe = await world.artist("zoe", tokens=100)
    image = await world.image(ann, style, public=True)
    match left:
        case "like":
            await world.like(zoe, image)
        case "comment":
            await say(world, zoe, image)
        case "follow":
            await world.follow(zoe, ann)
        case "follower" | "recipient":
            await world.follow(ann, zoe)
        case "actor":
            await world.follow(zoe, ann)
            await world.use_case(UnfollowUser)(zoe.id, ann.id)
        case "image":
            await world.failed_generation(zoe, style)
        case "style":
            await world.untrained_style(zoe)
    if left == "recipient":
        await world.use_case(UnfollowUser)(ann.id, zoe.id)

    removed = await commit(world, lambda ports: ports.personal_data.remove_user(zoe.id, identity=b"zoe"))

    assert removed is (left == "nothing")
    assert await commit(world, lambda ports: ports.users.username_taken("zoe")) is (not removed)
    assert await commit(world, lambda ports: ports.users.was_erased(b"zoe")) is removed
