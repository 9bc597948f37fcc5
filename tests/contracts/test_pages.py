"""Every list, in every order: what comes or goes between two pages makes no other row be skipped or shown twice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from core.accounts.model import User
from core.community.delete_comment import DeleteComment
from core.community.post_comment import NewComment, PostComment
from core.community.unfollow_user import UnfollowUser
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.views import FeedQuery, FeedSort, StatusFilter
from core.identifiers import CommentId
from core.notifications.mark_read import MarkRead
from core.paging import Page, PageRequest
from core.requester import Requester
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.views import StyleQuery, StyleSort
from core.tokens.views import TransactionFilter
from tests.support.world import World, gift

Read = Callable[[PageRequest], Awaitable[Page[Any]]]


@dataclass(frozen=True, slots=True)
class Listed:
    read: Read
    come: Callable[[], Awaitable[object]]
    """One more row."""
    go: Callable[[Any], Awaitable[object]] | None = None
    """A row leaves the list, by its id; None where rows stay for ever."""


async def _styles(world: World, query: StyleQuery, *, own: bool = False) -> Listed:
    artists = [await world.artist("mia"), await world.artist("zoe")]
    await world.follow(artists[0], artists[1])
    owners: dict[Any, User] = {}
    number = count()

    async def come() -> None:
        at = next(number)
        owner = artists[0 if own else at % 2]
        style = await world.style(owner, f"Style {at}", tags=["river", "boat"])
        owners[style.id] = owner

    async def go(style_id: Any) -> None:
        if own:
            await world.use_case(DeleteStyle)(owners[style_id].id, style_id)
        else:
            await world.use_case(EditStyle)(owners[style_id].id, style_id, StyleChanges(is_active=False))

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        styles = world.read.styles
        return styles.list_own(artists[0].id, page=page) if own else styles.list(query, page=page)

    return Listed(read, come, go)


async def _feed(world: World, sort: FeedSort, narrowed: str = "") -> Listed:
    ann, bob = await world.user("ann", tokens=10_000), await world.user("bob")
    style = await world.style(await world.artist("mia"))
    await world.follow(bob, ann)
    query = FeedQuery(
        sort=sort,
        tags=["boat"] if narrowed == "tags" else [],
        user_id=ann.id if narrowed == "user" else None,
        style_id=style.id if narrowed == "style" else None,
        followed_by=bob.id if narrowed == "following" else None,
    )
    number = count()

    async def come() -> None:
        image = await world.image(ann, style, public=True, prompt_tags=["river", "boat"])
        if next(number) % 3 == 0:
            await world.like(bob, image)

    async def go(image_id: Any) -> None:
        await world.use_case(EditGeneration)(ann.id, image_id, GenerationChanges(is_public=False))

    return Listed(lambda page: world.read.generations.feed(query, viewer=bob.id, page=page), come, go)


async def _own_images(world: World) -> Listed:
    ann, style = await world.user("ann", tokens=10_000), await world.style(await world.artist("mia"))

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        return world.read.generations.list_own(ann.id, status=StatusFilter.ALL, is_public=None, page=page)

    return Listed(read, lambda: world.generation(ann, style))


async def _comments(world: World, *, replies: bool) -> Listed:
    ann, style = await world.user("ann", tokens=100), await world.style(await world.artist("mia"))
    image = await world.image(ann, style, public=True)
    parent = await world.use_case(PostComment)(ann.id, image.id, NewComment("First")) if replies else None

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        community = world.read.community
        if parent is not None:
            return community.replies(parent, viewer=None, page=page)
        return community.comments(image.id, viewer=None, page=page)

    async def go(comment_id: CommentId) -> None:
        await world.use_case(DeleteComment)(Requester(ann.id, ann.role, False), comment_id)

    return Listed(read, lambda: world.use_case(PostComment)(ann.id, image.id, NewComment("More", parent)), go)


async def _following(world: World) -> Listed:
    ann, number = await world.user("ann"), count()

    async def come() -> None:
        await world.follow(ann, await world.user(f"user-{next(number)}"))

    return Listed(
        lambda page: world.read.community.following(ann.id, page=page),
        come,
        lambda followed: world.use_case(UnfollowUser)(ann.id, followed),
    )


async def _notifications(world: World, *, unread_only: bool) -> Listed:
    ann, number = await world.user("ann"), count()

    async def come() -> None:
        await world.follow(await world.user(f"user-{next(number)}"), ann)

    async def read(page: PageRequest) -> Page[Any]:
        found, _ = await world.read.notifications.list(ann.id, unread_only=unread_only, page=page)
        return found

    return Listed(read, come, (lambda told: world.use_case(MarkRead)(ann.id, told)) if unread_only else None)


async def _transactions(world: World) -> Listed:
    ann = await world.user("ann")

    async def come() -> None:
        async with world.block() as scope:
            await scope.ledger.transfer(gift(ann.id, 1, world))

    return Listed(lambda page: world.read.tokens.transactions(ann.id, type=TransactionFilter.ALL, page=page), come)


LISTS: dict[str, Callable[[World], Awaitable[Listed]]] = {
    "styles": lambda world: _styles(world, StyleQuery()),
    "popular styles": lambda world: _styles(world, StyleQuery(sort=StyleSort.POPULAR)),
    "styles by tags": lambda world: _styles(world, StyleQuery(tags=["river", "boat"])),
    "own styles": lambda world: _styles(world, StyleQuery(), own=True),
    "feed": lambda world: _feed(world, FeedSort.RECENT),
    "popular feed": lambda world: _feed(world, FeedSort.POPULAR),
    "feed by tags": lambda world: _feed(world, FeedSort.RECENT, "tags"),
    "feed of a user": lambda world: _feed(world, FeedSort.RECENT, "user"),
    "feed of a style": lambda world: _feed(world, FeedSort.RECENT, "style"),
    "feed of whom one follows": lambda world: _feed(world, FeedSort.RECENT, "following"),
    "popular feed of whom one follows": lambda world: _feed(world, FeedSort.POPULAR, "following"),
    "own images": _own_images,
    "comments": lambda world: _comments(world, replies=False),
    "replies": lambda world: _comments(world, replies=True),
    "following": _following,
    "notifications": lambda world: _notifications(world, unread_only=False),
    "unread notifications": lambda world: _notifications(world, unread_only=True),
    "transactions": _transactions,
}


@pytest.mark.parametrize("name", LISTS)
async def test_nothing_is_skipped_and_nothing_shown_twice(world: World, name: str) -> None:
    listed = await LISTS[name](world)
    for index in range(10):
        if index % 2:  # two of each moment: then the id decides
            world.clock.advance()
        await listed.come()
    whole = await ids(listed, PageRequest(100))
    assert len(whole) == 10

    seen: list[Any] = []
    gone: set[Any] = set()
    page = PageRequest(3)
    while True:
        found = await listed.read(page)
        seen += [row.id for row in found.rows]
        if found.next is None:
            break
        page = PageRequest(3, found.next)
        await listed.come()
        if listed.go and len(gone) < 4:
            # The last row of this page, from which the next one goes on, and one that is still to come.
            leaving = [seen[-1], *[row for row in whole if row not in seen and row not in gone][-1:]]
            gone.update(leaving)
            for row in leaving:
                await listed.go(row)

    assert len(seen) == len(set(seen))
    assert [row for row in seen if row in whole] == [row for row in whole if row in seen]
    assert {*whole} - {*seen} <= gone


async def ids(listed: Listed, page: PageRequest) -> list[Any]:
    return [row.id for row in (await listed.read(page)).rows]
