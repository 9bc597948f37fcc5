"""Account deletion concurrent with other calls."""

import asyncio
from datetime import timedelta

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.erase_accounts import EraseAccounts
from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.community.delete_comment import DeleteComment
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import NewComment, PostComment
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.errors import DomainError
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.purchases.model import TIME_TO_PAY, TIME_TO_SETTLE, PurchaseStatus
from core.purchases.start_purchase import StartPurchase
from core.requester import Requester, Role
from core.styles.errors import StyleNotFound, StyleNotReady
from core.styles.model import Style
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.contracts.deletion.steps import PAGE, delete, gone, say
from tests.contracts.overlap import Block, Work, commit
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World

# --- erased -----------------------------------------------------------------------------------------------------------


async def test_a_purchase_that_ends_during_the_deletion_keeps_its_status(world: World, ann: User) -> None:
    started = await world.use_case(StartPurchase)(ann.id, "basic_100")
    later = world.clock.now() + TIME_TO_PAY + TIME_TO_SETTLE

    async def expire(ports: Scope) -> None:
        purchase = await ports.purchases.of_order(started.order_id, lock=True)
        await ports.purchases.save(purchase.expire_if_due(at=later))

    await delete_meanwhile(world, ann, expire)

    purchase = await commit(world, lambda ports: ports.purchases.of_order(started.order_id))
    assert (purchase.status, purchase.ended_at) == (PurchaseStatus.EXPIRED, later)
    assert purchase.expires_at == purchase.created_at + TIME_TO_PAY


async def test_a_style_that_is_removed_during_the_deletion_stays_removed(world: World, mia: User) -> None:
    style = await world.untrained_style(mia)

    async def remove(ports: Scope) -> None:
        await ports.styles.of_id(style.id, lock=True)
        await ports.styles.remove(style.id)

    await delete_meanwhile(world, mia, remove)

    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.of_id(style.id))


async def delete_meanwhile(world: World, user: User, work: Work) -> None:
    """Delete the account; the deletion waits until the work, which is done before it, is committed."""
    block = await Block(world, work).open()
    deleting = asyncio.create_task(world.use_case(DeleteAccount)(user.id))
    async with asyncio.timeout(TIME_LIMIT):
        while not (deleting.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - no database has an event for it
            await asyncio.sleep(0)
    assert not deleting.done()
    assert await block.commit() is None
    await deleting


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_a_deletion_concurrent_with_all_actions_leaves_no_data(
    world: World, mia: User, ann: User, bob: User, style: Style
) -> None:
    """Calls of theirs that were under way, and calls of others that concern them."""
    theirs = [await world.image(ann, style, public=True) for _ in range(2)]
    others = [await world.image(mia, style, public=True) for _ in range(2)]
    await world.like(ann, others[0])
    await world.follow(ann, bob)
    comment = await say(world, ann, others[0])

    answers = await asyncio.gather(
        *(world.use_case(LikeGeneration)(ann.id, image.id) for image in others),
        world.use_case(UnlikeGeneration)(ann.id, others[0].id),
        world.use_case(PostComment)(ann.id, others[1].id, NewComment("Me")),
        world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"])),
        world.use_case(DeleteAccount)(ann.id),
        world.use_case(FollowUser)(ann.id, mia.id),
        world.use_case(UnfollowUser)(ann.id, bob.id),
        *(world.use_case(LikeGeneration)(bob.id, image.id) for image in theirs),
        world.use_case(FollowUser)(bob.id, ann.id),
        world.use_case(PostComment)(bob.id, theirs[0].id, NewComment("You")),
        world.use_case(PostComment)(bob.id, others[0].id, NewComment("Too", comment)),
        world.use_case(DeleteComment)(Requester(ann.id, Role.USER, is_artist=False), comment),
        world.use_case(StartPurchase)(ann.id, "basic_100"),
        return_exceptions=True,
    )

    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, DomainError) for error in errors), errors
    world.clock.advance(timedelta(minutes=1))
    await world.use_case(EraseAccounts)()
    assert await gone(world, ann)
    for image in others:
        shown = await world.read.generations.detail(image.id, viewer=mia.id)
        comments = (await world.read.community.comments(image.id, viewer=None, page=PAGE)).rows
        assert (shown.like_count, shown.comment_count) == (0, sum(1 + row.reply_count for row in comments))
        assert {row.user.username for row in comments} <= {"bob"}
    for user in (mia, bob):
        profile = await world.read.accounts.profile(user.id, viewer=None)
        assert profile.stats.following_count == 0
    assert (await world.funds(ann.id)).held_tokens == 0


async def test_concurrent_deletions_of_many_users(world: World, mia: User, style: Style) -> None:
    crowd = [await world.user(f"fan-{n}") for n in range(8)]
    images = [await world.image(mia, style, public=True) for _ in range(3)]
    for n, fan in enumerate(crowd):
        await world.follow(fan, mia)
        await world.follow(fan, crowd[n - 1])
        for image in images:
            await world.like(fan, image)
            await say(world, fan, image)

    await asyncio.gather(*(delete(world, fan) for fan in crowd), return_exceptions=True)
    await world.use_case(EraseAccounts)()

    assert [await gone(world, fan) for fan in crowd] == [True] * len(crowd)
    for image in images:
        shown = await world.read.generations.detail(image.id, viewer=None)
        assert (shown.like_count, shown.comment_count) == (0, 0)
    profile = await world.read.accounts.profile(mia.id, viewer=None)
    assert profile.artist
    assert profile.artist.follower_count == 0


async def test_a_first_request_for_a_style_races_with_the_deletion_of_its_artist(
    world: World, mia: User, ann: User, style: Style
) -> None:
    """It comes before, and the artist is kept as a name, or after, and there is no style."""
    requests = [world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"])) for _ in range(4)]

    answers = await asyncio.gather(
        *requests[:2], world.use_case(DeleteAccount)(mia.id), *requests[2:], return_exceptions=True
    )

    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, StyleNotFound | StyleNotReady) for error in errors), errors
    await world.use_case(EraseAccounts)()
    assert await gone(world, mia) == (len(errors) == 4)
    assert (await world.funds(ann.id)).held_tokens == 30 * (4 - len(errors))


async def test_a_withdrawal_request_races_with_the_deletion_of_the_artist(
    world: World, mia: User, style: Style
) -> None:
    await world.earn(mia, 30, style)

    async def revoke_access(ports: Scope) -> None:
        user = await ports.users.of_id(mia.id, lock=True)
        await ports.users.save(user.start_deletion(at=world.clock.now()))
        await ports.personal_data.revoke_access(mia.id)

    leaving = await Block(world, revoke_access).open()
    asking = asyncio.create_task(world.use_case(RequestWithdrawal)(mia.id, 30))
    async with asyncio.timeout(10):
        while not (asking.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - no database has an event for it
            await asyncio.sleep(0)
    await leaving.commit()

    with pytest.raises(UserNotFound):
        await asking
