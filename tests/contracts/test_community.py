"""Follows and likes: exact counts under any concurrency, and one notification each."""

import asyncio
from collections.abc import Awaitable, Iterable

import pytest

from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.community.errors import DuplicateFollow, DuplicateLike, SelfFollowNotAllowed
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.community.views import Followed, FollowedUser, Liked
from core.generations.errors import GenerationNotFound
from core.generations.model import Generation
from core.generations.views import FeedQuery, FeedSort
from core.identifiers import GenerationId, UserId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from tests.contracts.overlap import Block, Work, race
from tests.support.scope import Scope
from tests.support.world import TIME_LIMIT, World

CROWD = 32
NOBODY, NO_IMAGE = UserId(10**12), GenerationId(10**12)

# --- following --------------------------------------------------------------------------------------------------------


async def test_following_and_unfollowing_update_the_count(world: World) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann"), await world.user("bob")

    assert await world.use_case(FollowUser)(ann.id, mia.id) == Followed(following=True, follower_count=1)
    assert await world.use_case(FollowUser)(bob.id, mia.id) == Followed(following=True, follower_count=2)
    await world.use_case(UnfollowUser)(ann.id, mia.id)

    assert await followers(world, mia) == 1
    assert not (await world.read.accounts.profile(mia.id, viewer=ann.id)).is_following
    assert (await world.read.accounts.profile(mia.id, viewer=bob.id)).is_following


async def test_a_second_follow_is_refused(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")
    await world.use_case(FollowUser)(ann.id, mia.id)

    with pytest.raises(DuplicateFollow):
        await world.use_case(FollowUser)(ann.id, mia.id)

    assert await followers(world, mia) == 1
    assert (await world.use_case(FollowUser)(mia.id, ann.id)).follower_count == 1


async def test_following_oneself_is_refused(world: World) -> None:
    mia = await world.artist("mia")

    with pytest.raises(SelfFollowNotAllowed):
        await world.use_case(FollowUser)(mia.id, mia.id)

    assert await followers(world, mia) == 0


async def test_following_an_unknown_user_is_refused(world: World) -> None:
    ann = await world.user("ann")

    with pytest.raises(UserNotFound):
        await world.use_case(FollowUser)(ann.id, NOBODY)
    with pytest.raises(UserNotFound):
        await world.use_case(UnfollowUser)(ann.id, NOBODY)


async def test_unfollowing_without_a_follow_changes_nothing(world: World) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann"), await world.user("bob")
    await world.use_case(FollowUser)(bob.id, mia.id)

    await world.use_case(UnfollowUser)(ann.id, mia.id)

    assert await followers(world, mia) == 1


async def test_a_followed_user_is_notified_once_by_each_follower(world: World) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann"), await world.user("bob")
    await world.use_case(FollowUser)(ann.id, mia.id)
    await world.use_case(UnfollowUser)(ann.id, mia.id)
    await world.use_case(FollowUser)(ann.id, mia.id)
    await world.use_case(FollowUser)(bob.id, mia.id)

    notified = await notices(world, mia)

    assert sorted((one.type, one.actor.username) for one in notified if one.actor) == [
        ("follow", "ann"),
        ("follow", "bob"),
    ]
    assert {(one.target_type, one.target_id) for one in notified} == {("user", mia.id)}
    assert await notices(world, ann) == []


async def test_one_of_two_concurrent_follows_by_one_user_counts(world: World, sent: bool) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")

    ended = await race(world, following(world, ann, mia), following(world, ann, mia), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, DuplicateFollow)
    assert await followers(world, mia) == 1


async def test_concurrent_follows_by_two_users_both_count(world: World, sent: bool) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann"), await world.user("bob")

    ended = await race(world, following(world, ann, mia), following(world, bob, mia), sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert await followers(world, mia) == 2


async def test_two_users_can_follow_each_other_concurrently(world: World, sent: bool) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")

    ended = await race(world, following(world, mia, zoe), following(world, zoe, mia), sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert (await followers(world, mia), await followers(world, zoe)) == (1, 1)


async def test_one_of_two_concurrent_unfollows_counts(world: World, sent: bool) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann"), await world.user("bob")
    await world.use_case(FollowUser)(ann.id, mia.id)
    await world.use_case(FollowUser)(bob.id, mia.id)

    async def unfollow(ports: Scope) -> None:
        await ports.follows.remove(ann.id, mia.id)

    ended = await race(world, unfollow, unfollow, sent=sent)

    assert (ended.first, ended.second) == (None, None)
    assert await followers(world, mia) == 1


async def test_concurrent_follows_and_unfollows_are_counted_exactly(world: World) -> None:
    """Half of it follows before, and takes it back while the other half comes; everybody does it twice at once."""
    mia = await world.artist("mia")
    style = await world.style(mia)
    crowd = [await world.user(f"fan-{n}") for n in range(CROWD)]
    leaving, coming = crowd[: CROWD // 2], crowd[CROWD // 2 + 1 :]
    for fan in leaving:
        await world.use_case(FollowUser)(fan.id, mia.id)

    answers = await together(
        deed
        for fan in crowd
        for deed in (
            [world.use_case(FollowUser)(fan.id, mia.id) for _ in range(2)]
            if fan in coming
            else [world.use_case(UnfollowUser)(fan.id, mia.id) for _ in range(2)]
        )
    )

    assert sum(isinstance(answer, Followed) for answer in answers) == len(coming)
    assert sum(isinstance(answer, DuplicateFollow) for answer in answers) == len(coming)
    assert sum(answer is None for answer in answers) == 2 * (CROWD - len(coming))
    assert await followers(world, mia) == len(coming)
    assert (await world.read.styles.detail(style.id, viewer=None)).artist.follower_count == len(coming)
    assert len(await notices(world, mia)) == len(leaving) + len(coming)


# --- followed users ---------------------------------------------------------------------------------------------------


async def test_followed_users_are_listed_latest_first(world: World) -> None:
    ann, bob, mia = await world.user("ann"), await world.user("bob"), await world.artist("mia")
    await world.use_case(FollowUser)(bob.id, mia.id)
    first = world.clock.advance()
    await world.use_case(FollowUser)(ann.id, mia.id)
    second = world.clock.advance()
    await world.use_case(FollowUser)(ann.id, bob.id)

    page = await world.read.community.following(ann.id, page=PageRequest())

    assert page.next is None
    assert page.rows == [
        FollowedUser(bob.id, "bob", None, None, None, "user", 1, second),
        FollowedUser(mia.id, "mia", None, None, "Mia", "artist", 2, first),
    ]


@pytest.mark.parametrize("sort", FeedSort)
async def test_the_feed_shows_generations_of_followed_users(world: World, sort: FeedSort) -> None:
    mia, ann, bob = await world.artist("mia"), await world.user("ann", tokens=500), await world.user("bob", tokens=500)
    style = await world.style(mia)
    eve = await world.user("eve")
    await world.use_case(FollowUser)(eve.id, ann.id)
    await world.use_case(FollowUser)(bob.id, mia.id)
    expected: list[int] = []
    for _ in range(3):
        world.clock.advance()
        expected.insert(0, (await world.image(ann, style, public=True)).id)
        await world.image(bob, style, public=True)
        await world.image(ann, style)

    async def shown(follower: User) -> list[int]:
        query = FeedQuery(sort=sort, followed_by=follower.id)
        page = await world.read.generations.feed(query, viewer=follower.id, page=PageRequest())
        return [item.id for item in page.rows]

    assert await shown(eve) == expected
    assert await shown(bob) == []


# --- liking -----------------------------------------------------------------------------------------------------------


async def test_liking_and_unliking_update_the_count(world: World) -> None:
    image, ann, bob = await public_image(world), await world.user("ann"), await world.user("bob")

    assert await world.use_case(LikeGeneration)(ann.id, image.id) == Liked(liked=True, like_count=1)
    assert await world.use_case(LikeGeneration)(bob.id, image.id) == Liked(liked=True, like_count=2)
    await world.use_case(UnlikeGeneration)(ann.id, image.id)
    await world.use_case(UnlikeGeneration)(ann.id, image.id)

    assert await likes(world, image, ann) == (1, False)
    assert await likes(world, image, bob) == (1, True)


async def test_a_second_like_is_refused(world: World) -> None:
    image, ann = await public_image(world), await world.user("ann")
    await world.use_case(LikeGeneration)(ann.id, image.id)

    with pytest.raises(DuplicateLike):
        await world.use_case(LikeGeneration)(ann.id, image.id)

    assert await likes(world, image, ann) == (1, True)


async def test_an_invisible_generation_cannot_be_liked(world: World) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann")
    style = await world.style(mia)
    private, unmade = await world.image(mia, style), await world.generation(mia, style)

    for user, image in [(ann, private.id), (ann, unmade.id), (mia, unmade.id), (ann, NO_IMAGE)]:
        with pytest.raises(GenerationNotFound):
            await world.use_case(LikeGeneration)(user.id, image)
        with pytest.raises(GenerationNotFound):
            await world.use_case(UnlikeGeneration)(user.id, image)

    assert (await world.use_case(LikeGeneration)(mia.id, private.id)).like_count == 1
    assert await notices(world, mia) == []


async def test_a_hidden_generation_can_be_unliked(world: World) -> None:
    image, ann, bob = await public_image(world), await world.user("ann"), await world.user("bob")
    await world.use_case(LikeGeneration)(ann.id, image.id)
    async with world.block() as ports:
        await ports.generations.save(image.edit(at=world.clock.now(), description=None, public_key=None))

    await world.use_case(UnlikeGeneration)(ann.id, image.id)

    for user in (ann, bob):
        with pytest.raises(GenerationNotFound):
            await world.use_case(UnlikeGeneration)(user.id, image.id)
    async with world.block() as ports:
        assert await ports.likes.count(image.id) == 0


async def test_the_owner_is_notified_once_by_each_like(world: World) -> None:
    mia, ann, bob = await world.artist("mia", tokens=100), await world.user("ann"), await world.user("bob")
    image = await world.image(mia, await world.style(mia), public=True)
    await world.use_case(LikeGeneration)(ann.id, image.id)
    await world.use_case(UnlikeGeneration)(ann.id, image.id)
    await world.use_case(LikeGeneration)(ann.id, image.id)
    await world.use_case(LikeGeneration)(bob.id, image.id)
    await world.use_case(LikeGeneration)(mia.id, image.id)

    notified = await notices(world, mia)

    assert sorted((one.type, one.actor.username) for one in notified if one.actor) == [("like", "ann"), ("like", "bob")]
    assert {(one.target_type, one.target_id) for one in notified} == {("generation", image.id)}
    assert len(notified) == 2


async def test_one_of_two_concurrent_likes_by_one_user_counts(world: World, sent: bool) -> None:
    image, ann = await public_image(world), await world.user("ann")

    ended = await race(world, liking(world, ann, image), liking(world, ann, image), sent=sent)

    assert ended.first is None
    assert isinstance(ended.second, DuplicateLike)
    assert await likes(world, image, ann) == (1, True)


async def test_a_like_waits_for_an_edit_of_the_generation(world: World) -> None:
    image, ann = await public_image(world), await world.user("ann")

    async def hide(ports: Scope) -> None:
        seen = await ports.generations.of_id(image.id, lock=True)
        await ports.generations.save(seen.edit(at=world.clock.now(), description=None, public_key=None))

    hiding = await Block(world, hide).open()
    like = asyncio.create_task(world.use_case(LikeGeneration)(ann.id, image.id))
    async with asyncio.timeout(TIME_LIMIT):
        while not (like.done() or await world.lock_is_awaited()):  # noqa: ASYNC110 - no database has an event for it
            await asyncio.sleep(0)
    await hiding.commit()

    with pytest.raises(GenerationNotFound):
        await like
    assert (await world.read.generations.detail(image.id, viewer=image.owner_id)).like_count == 0


async def test_concurrent_likes_and_unlikes_are_counted_exactly(world: World) -> None:
    """Half of it likes before, and takes it back while the other half comes; everybody does it twice at once."""
    image = await public_image(world)
    crowd = [await world.user(f"fan-{n}") for n in range(CROWD)]
    leaving, coming = crowd[: CROWD // 2], crowd[CROWD // 2 :]
    for fan in leaving:
        await world.use_case(LikeGeneration)(fan.id, image.id)

    answers = await together(
        world.use_case(kind)(fan.id, image.id)
        for pair in zip(leaving, coming, strict=True)
        for fan, kind in zip(pair, (UnlikeGeneration, LikeGeneration), strict=True)
        for _ in range(2)
    )

    assert sum(isinstance(answer, Liked) for answer in answers) == len(coming)
    assert sum(isinstance(answer, DuplicateLike) for answer in answers) == len(coming)
    assert sum(answer is None for answer in answers) == 2 * len(leaving)
    assert await likes(world, image, coming[0]) == (len(coming), True)
    assert await likes(world, image, leaving[0]) == (len(coming), False)


# --- what tests share -------------------------------------------------------------------------------------------------


def following(world: World, follower: User, followed: User) -> Work:
    async def work(ports: Scope) -> None:
        await ports.follows.add(follower.id, followed.id, at=world.clock.now())

    return work


def liking(world: World, user: User, image: Generation) -> Work:
    async def work(ports: Scope) -> None:
        await ports.generations.of_id(image.id, lock=True)
        await ports.likes.add(user.id, image.id, at=world.clock.now())

    return work


async def public_image(world: World) -> Generation:
    mia = await world.artist("mia", tokens=100)
    return await world.image(mia, await world.style(mia), public=True)


async def likes(world: World, image: Generation, viewer: User) -> tuple[int, bool]:
    """How many like it, and whether the viewer does."""
    seen = await world.read.generations.detail(image.id, viewer=viewer.id)
    return seen.like_count, seen.is_liked


async def followers(world: World, user: User) -> int:
    async with world.block() as ports:
        return await ports.follows.count(user.id)


async def notices(world: World, user: User) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest(100))
    return page.rows


async def together(deeds: Iterable[Awaitable[object]]) -> list[object]:
    """All at once; what each answered or the error with which it ended."""
    return await asyncio.gather(*deeds, return_exceptions=True)
