"""Community use cases over memory: changes, permissions, notifications."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.errors import CommentNotFound, DuplicateLike, ReplyDepthExceeded, SelfFollowNotAllowed
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.model import MAX_CONTENT, Comment
from core.community.post_comment import NewComment, PostComment
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.community.views import Followed, Liked
from core.errors import Forbidden, ValidationError
from core.generations.errors import GenerationNotFound
from core.generations.model import Generation
from core.identifiers import CommentId, UserId
from core.notifications.model import Notification, NotificationType
from core.problems import blank_or_too_long
from core.requester import Requester, Role
from tests.core.failing import UnexpectedError, failing
from tests.support.memory_world import MemoryWorld

FOLLOWING: list[type[Any]] = [FollowUser, UnfollowUser]
LIKING: list[type[Any]] = [LikeGeneration, UnlikeGeneration]


@pytest.fixture
async def mia(world: MemoryWorld) -> User:
    return await world.artist("mia", tokens=500)


@pytest.fixture
async def ann(world: MemoryWorld) -> User:
    return await world.user("ann")


@pytest.fixture
async def image(world: MemoryWorld, mia: User) -> Generation:
    return await world.image(mia, await world.style(mia), public=True)


@pytest.fixture
async def private(world: MemoryWorld, mia: User) -> Generation:
    return await world.image(mia, await world.style(mia, "Oil"))


def notified(world: MemoryWorld) -> list[Notification]:
    return [kept.notification for kept in world.database.tables.notifications.values()]


async def say(world: MemoryWorld, who: User, image: Generation, to: CommentId | None = None) -> CommentId:
    return await world.use_case(PostComment)(who.id, image.id, NewComment("Nice", to))


async def delete(world: MemoryWorld, who: User, comment_id: CommentId, role: Role = Role.USER) -> None:
    await world.use_case(DeleteComment)(Requester(who.id, role, is_artist=False), comment_id)


# --- following --------------------------------------------------------------------------------------------------------


async def test_a_follow_notifies_the_followed_user(world: MemoryWorld, mia: User, ann: User) -> None:
    assert await world.use_case(FollowUser)(ann.id, mia.id) == Followed(following=True, follower_count=1)

    [notification] = notified(world)
    assert (notification.recipient, notification.actor, notification.type) == (mia.id, ann.id, NotificationType.FOLLOW)
    assert (notification.target_type, notification.target_id) == ("user", mia.id)


async def test_an_unknown_user_is_neither_followed_nor_unfollowed(world: MemoryWorld, ann: User) -> None:
    for kind in FOLLOWING:
        with pytest.raises(UserNotFound):
            await world.use_case(kind)(ann.id, UserId(999))
    with pytest.raises(SelfFollowNotAllowed):
        await world.use_case(FollowUser)(ann.id, ann.id)
    assert (notified(world), world.database.tables.follows) == ([], {})


async def test_a_second_follow_after_an_unfollow_notifies_nobody(world: MemoryWorld, mia: User, ann: User) -> None:
    for kind in [*FOLLOWING, *reversed(FOLLOWING)]:
        await world.use_case(kind)(ann.id, mia.id)

    assert len(notified(world)) == 1
    assert list(world.database.tables.follows) == [(ann.id, mia.id)]


# --- liking -----------------------------------------------------------------------------------------------------------


async def test_a_like_notifies_the_owner_unless_it_is_their_own(
    world: MemoryWorld, mia: User, ann: User, image: Generation
) -> None:
    assert await world.use_case(LikeGeneration)(mia.id, image.id) == Liked(liked=True, like_count=1)
    assert notified(world) == []
    assert await world.use_case(LikeGeneration)(ann.id, image.id) == Liked(liked=True, like_count=2)

    [notification] = notified(world)
    assert (notification.recipient, notification.actor, notification.type) == (mia.id, ann.id, NotificationType.LIKE)
    assert (notification.target_type, notification.target_id) == ("generation", image.id)


async def test_a_refused_like_notifies_nobody(
    world: MemoryWorld, mia: User, ann: User, image: Generation, private: Generation
) -> None:
    await world.use_case(LikeGeneration)(ann.id, image.id)
    with pytest.raises(DuplicateLike):
        await world.use_case(LikeGeneration)(ann.id, image.id)
    for kind in LIKING:
        with pytest.raises(GenerationNotFound):
            await world.use_case(kind)(ann.id, private.id)

    await world.use_case(UnlikeGeneration)(ann.id, image.id)
    await world.use_case(LikeGeneration)(ann.id, image.id)
    assert len(notified(world)) == 1


# --- commenting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", " \n\t", "x" * (MAX_CONTENT + 1)])
async def test_a_blank_or_too_long_comment_is_refused(
    world: MemoryWorld, ann: User, image: Generation, content: str
) -> None:
    kept = await say(world, ann, image)
    for call in (
        world.use_case(PostComment)(ann.id, image.id, NewComment(content)),
        world.use_case(EditComment)(ann.id, kept, content),
    ):
        with pytest.raises(ValidationError) as refused:
            await call
        assert refused.value.details == {"content": blank_or_too_long(MAX_CONTENT)}
    assert [comment.content for comment in world.database.tables.comments.values()] == ["Nice"]


async def test_a_comment_is_stored_as_written(world: MemoryWorld, ann: User, image: Generation) -> None:
    words = " <b>안녕</b> & 👋 "
    at = world.clock.advance()
    comment_id = await world.use_case(PostComment)(ann.id, image.id, NewComment(words))

    expected = Comment(comment_id, image.id, ann.id, words, created_at=at, updated_at=at)
    assert world.database.tables.comments == {comment_id: expected}


async def test_a_reply_notifies_owner_and_parent_once_each(
    world: MemoryWorld, mia: User, ann: User, image: Generation
) -> None:
    bob = await world.user("bob")
    anns = await say(world, ann, image)
    reply = await say(world, bob, image, anns)
    own = await say(world, mia, image)
    to_owner = await say(world, bob, image, own)

    assert {(one.recipient, one.metadata["comment_id"], one.metadata["parent_id"]) for one in notified(world)} == {
        (mia.id, anns, None),
        (mia.id, reply, anns),
        (ann.id, reply, anns),
        (mia.id, to_owner, own),
    }
    assert len(notified(world)) == 4
    assert {one.type for one in notified(world)} == {NotificationType.COMMENT}


async def test_replies_have_one_level_and_belong_to_one_generation(
    world: MemoryWorld, mia: User, ann: User, image: Generation, private: Generation
) -> None:
    comment = await say(world, ann, image)
    reply = await say(world, mia, image, comment)

    with pytest.raises(ReplyDepthExceeded):
        await say(world, ann, image, reply)
    with pytest.raises(CommentNotFound):
        await say(world, mia, private, comment)
    with pytest.raises(CommentNotFound):
        await say(world, ann, image, CommentId(999))
    with pytest.raises(GenerationNotFound):
        await say(world, ann, private)
    assert sorted(world.database.tables.comments) == [comment, reply]


async def test_only_author_edits_and_author_or_admin_deletes(
    world: MemoryWorld, mia: User, ann: User, image: Generation
) -> None:
    comment = await say(world, ann, image)
    reply = await say(world, mia, image, comment)
    with pytest.raises(Forbidden):
        await world.use_case(EditComment)(mia.id, comment, "Mine")
    with pytest.raises(Forbidden):
        await delete(world, mia, comment)

    at = world.clock.advance()
    await world.use_case(EditComment)(ann.id, comment, "Better")
    stored = world.database.tables.comments[comment]
    assert (stored.content, stored.updated_at) == ("Better", at)

    await delete(world, ann, comment)
    assert world.database.tables.comments == {}
    for gone in (comment, reply):
        with pytest.raises(CommentNotFound):
            await delete(world, mia, gone, Role.ADMIN)


async def test_invisible_comments_can_only_be_deleted_by_author_or_admin(
    world: MemoryWorld, mia: User, ann: User, image: Generation
) -> None:
    theirs, own = await say(world, mia, image), await say(world, ann, image)
    async with world.block() as ports:
        await ports.generations.save(image.edit(at=world.clock.now(), description=None, public_key=None))

    edit = world.use_case(EditComment)
    for call in (edit(ann.id, theirs, "Mine"), edit(ann.id, own, "Mine"), delete(world, ann, theirs)):
        with pytest.raises(CommentNotFound):
            await call
    await delete(world, ann, own)
    await delete(world, ann, theirs, Role.ADMIN)
    assert world.database.tables.comments == {}


@pytest.mark.parametrize("action", ["follow", "like", "comment"])
async def test_a_failed_notification_rolls_the_action_back(
    world: MemoryWorld, mia: User, ann: User, image: Generation, action: str
) -> None:
    scope = world.scope()
    ports: dict[str, Any] = {name: getattr(scope, name) for name in scope.__slots__}
    ports["notifier"] = failing(scope.notifier, "notify")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "follow": lambda: world.use_case(FollowUser, **ports)(ann.id, mia.id),
        "like": lambda: world.use_case(LikeGeneration, **ports)(ann.id, image.id),
        "comment": lambda: world.use_case(PostComment, **ports)(ann.id, image.id, NewComment("Nice")),
    }

    with pytest.raises(UnexpectedError):
        await calls[action]()

    tables = world.database.tables
    assert (tables.follows, tables.likes, tables.comments) == ({}, {}, {})
