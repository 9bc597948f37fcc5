"""Comments with one level of replies: exact counts, visibility, notifications."""

import asyncio
from datetime import timedelta

import pytest

from core.accounts.model import User
from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.errors import CommentNotFound, ReplyDepthExceeded
from core.community.post_comment import NewComment, PostComment
from core.community.views import CommentUser, CommentView, ReplyView
from core.errors import Forbidden, ValidationError
from core.generations.errors import GenerationNotFound
from core.generations.model import Generation
from core.identifiers import CommentId
from core.paging import PageRequest
from core.requester import Requester, Role
from tests.support.world import World

CROWD = 32
NO_COMMENT = CommentId(10**12)


@pytest.fixture
async def mia(world: World) -> User:
    return await world.artist("mia", tokens=500)


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann")


@pytest.fixture
async def image(world: World, mia: User) -> Generation:
    return await world.image(mia, await world.style(mia), public=True)


async def say(
    world: World, author: User, image: Generation, content: str = "Nice", *, to: CommentId | None = None
) -> CommentId:
    return await world.use_case(PostComment)(author.id, image.id, NewComment(content, to))


async def delete(world: World, who: User, comment_id: CommentId, *, role: Role = Role.USER) -> None:
    await world.use_case(DeleteComment)(Requester(who.id, role, is_artist=False), comment_id)


async def hide(world: World, image: Generation) -> None:
    async with world.block() as ports:
        await ports.generations.save(image.edit(at=world.clock.now(), description=None, public_key=None))


async def listed(world: World, image: Generation) -> list[CommentView]:
    page = await world.read.community.comments(image.id, viewer=image.owner_id, page=PageRequest())
    return page.rows


async def count(world: World, image: Generation) -> int:
    return (await world.read.generations.detail(image.id, viewer=image.owner_id)).comment_count


async def notified(world: World, user: User) -> list[tuple[str, str, object]]:
    """Type, actor and comment of each notification."""
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    return sorted((row.type, row.actor.username, row.metadata["comment_id"]) for row in page.rows if row.actor)


async def test_comments_are_listed_newest_first_with_their_first_replies(
    world: World, mia: User, ann: User, image: Generation
) -> None:
    began = world.clock.now()
    first = await say(world, ann, image, "<b>안녕</b> 👋")
    world.clock.advance()
    second = await say(world, mia, image, "Thanks")
    replies = []
    for n in range(4):
        world.clock.advance()
        replies.append(await say(world, ann, image, f"Reply {n}", to=first))

    newest, oldest = await listed(world, image)

    assert (newest.id, newest.user, newest.replies, newest.reply_count) == (
        second,
        CommentUser(mia.id, "mia", None, None),
        [],
        0,
    )
    at = oldest.replies[0].created_at
    assert at > began
    assert oldest == CommentView(
        id=first,
        user=CommentUser(ann.id, "ann", None, None),
        content="<b>안녕</b> 👋",
        is_hidden=False,
        parent_id=None,
        reply_count=4,
        replies=oldest.replies,
        created_at=began,
        updated_at=began,
    )
    assert [reply.id for reply in oldest.replies] == replies[:3]
    assert oldest.replies[0] == ReplyView(
        id=replies[0],
        user=CommentUser(ann.id, "ann", None, None),
        content="Reply 0",
        is_hidden=False,
        parent_id=first,
        created_at=at,
        updated_at=at,
    )
    assert await count(world, image) == 6
    assert await world.read.community.comment(first, viewer=None) == oldest


@pytest.mark.parametrize("content", ["", "   \n", "x" * 501])
async def test_a_comment_has_1_to_500_characters(world: World, ann: User, image: Generation, content: str) -> None:
    with pytest.raises(ValidationError):
        await say(world, ann, image, content)
    longest = await say(world, ann, image, "가" * 500)
    with pytest.raises(ValidationError):
        await world.use_case(EditComment)(ann.id, longest, content)
    assert [row.content for row in await listed(world, image)] == ["가" * 500]
    assert await count(world, image) == 1


async def test_a_reply_cannot_be_replied_to(world: World, ann: User, mia: User, image: Generation) -> None:
    comment = await say(world, ann, image)
    reply = await say(world, mia, image, to=comment)
    other = await world.image(mia, await world.style(mia, "Other"), public=True)

    with pytest.raises(ReplyDepthExceeded):
        await say(world, ann, image, to=reply)
    with pytest.raises(CommentNotFound):
        await say(world, ann, image, to=NO_COMMENT)
    with pytest.raises(CommentNotFound):
        await say(world, ann, other, to=comment)

    assert (await count(world, image), await count(world, other)) == (2, 0)


async def test_comments_are_invisible_with_the_generation(
    world: World, mia: User, ann: User, image: Generation
) -> None:
    theirs, mine = await say(world, mia, image), await say(world, ann, image)
    await hide(world, image)
    read = world.read.community

    with pytest.raises(GenerationNotFound):
        await say(world, ann, image)
    with pytest.raises(GenerationNotFound):
        await read.comments(image.id, viewer=ann.id, page=PageRequest())
    with pytest.raises(GenerationNotFound):
        await read.comments(image.id, viewer=None, page=PageRequest())
    for comment in (theirs, mine):
        with pytest.raises(CommentNotFound):
            await read.comment(comment, viewer=ann.id)
        assert (await read.comment(comment, viewer=mia.id)).id == comment
    with pytest.raises(CommentNotFound):
        await read.replies(mine, viewer=ann.id, page=PageRequest())
    with pytest.raises(CommentNotFound):
        await world.use_case(EditComment)(ann.id, theirs, "Mine")
    with pytest.raises(CommentNotFound):
        await world.use_case(EditComment)(ann.id, mine, "Changed")
    with pytest.raises(CommentNotFound):
        await delete(world, ann, theirs)

    assert [row.id for row in await listed(world, image)] == [mine, theirs]
    await delete(world, ann, mine)
    assert await count(world, image) == 1


async def test_only_the_author_can_edit_a_comment(world: World, mia: User, ann: User, image: Generation) -> None:
    comment = await say(world, ann, image, "First")
    began, now = world.clock.now(), world.clock.advance()

    with pytest.raises(Forbidden):
        await world.use_case(EditComment)(mia.id, comment, "Hers")
    with pytest.raises(CommentNotFound):
        await world.use_case(EditComment)(ann.id, NO_COMMENT, "Nothing")
    await world.use_case(EditComment)(ann.id, comment, "Second")

    seen = await world.read.community.comment(comment, viewer=None)
    assert (seen.content, seen.created_at, seen.updated_at) == ("Second", began, now)
    assert now - began > timedelta()


async def test_deleting_a_comment_deletes_its_replies(world: World, mia: User, ann: User, image: Generation) -> None:
    kept, comment = await say(world, ann, image), await say(world, ann, image)
    replies = [await say(world, mia, image, to=comment) for _ in range(2)]
    with pytest.raises(Forbidden):
        await delete(world, mia, comment)

    await delete(world, mia, replies[0])
    assert (await world.read.community.comment(comment, viewer=None)).reply_count == 1
    assert await count(world, image) == 3
    await delete(world, mia, comment, role=Role.ADMIN)

    assert [row.id for row in await listed(world, image)] == [kept]
    assert await count(world, image) == 1
    for gone in (comment, replies[1]):
        with pytest.raises(CommentNotFound):
            await delete(world, ann, gone)
        with pytest.raises(CommentNotFound):
            await world.read.community.comment(gone, viewer=ann.id)
    assert await count(world, image) == 1


async def test_a_comment_notifies_owner_and_parent_but_not_its_author(
    world: World, mia: User, ann: User, image: Generation
) -> None:
    bob = await world.user("bob")
    hers = await say(world, mia, image)
    anns = await say(world, ann, image)
    bobs = await say(world, bob, image, to=anns)
    own = await say(world, ann, image, to=anns)
    answer = await say(world, mia, image, to=anns)
    to_owner = await say(world, bob, image, to=hers)

    assert await notified(world, mia) == sorted(
        [("comment", "ann", anns), ("comment", "ann", own), ("comment", "bob", bobs), ("comment", "bob", to_owner)]
    )
    assert await notified(world, ann) == sorted([("comment", "bob", bobs), ("comment", "mia", answer)])
    assert await notified(world, bob) == []


async def test_a_reply_does_not_notify_users_who_cannot_see_the_generation(
    world: World, mia: User, ann: User, image: Generation
) -> None:
    comment = await say(world, ann, image)
    await hide(world, image)
    await say(world, mia, image, to=comment)

    assert await notified(world, ann) == []


async def test_concurrent_comments_and_deletions_are_counted_exactly(
    world: World, mia: User, ann: User, image: Generation
) -> None:
    """All at once: some delete what others are replying to, and everything twice."""
    stays = await say(world, mia, image)
    goes = await say(world, ann, image)
    old = [await say(world, ann, image, to=stays) for _ in range(CROWD // 4)]

    answers = await asyncio.gather(
        *(say(world, ann, image, to=parent) for _ in range(CROWD // 4) for parent in (stays, goes)),
        *(delete(world, ann, reply) for reply in old for _ in range(2)),
        *(delete(world, ann, goes) for _ in range(2)),
        *(say(world, mia, image) for _ in range(CROWD // 4)),
        return_exceptions=True,
    )

    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(refusal, CommentNotFound) for refusal in refused), refused
    assert len(refused) >= len(old) + 1
    shown = await listed(world, image)
    assert goes not in [comment.id for comment in shown]
    assert {comment.id: comment.reply_count for comment in shown}[stays] == CROWD // 4
    assert len(shown) == 1 + CROWD // 4
    assert await count(world, image) == len(shown) + CROWD // 4
