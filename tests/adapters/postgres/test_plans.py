"""Frequent queries use indexes, and deep pages cost as much as the first one."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.postgres.paging import WINDOW
from adapters.postgres.pool import create_pool
from core.generations.views import FeedQuery, FeedSort, StatusFilter
from core.identifiers import GenerationId, StyleId, UserId
from core.paging import Keyset, Page, PageRequest
from core.requester import Requester, Role
from core.styles.views import StyleQuery, StyleSort
from core.tokens.views import EarningsGroup, TransactionFilter
from core.withdrawals.model import WithdrawalStatus
from tests.adapters.postgres.plans import Plan, nodes, plans
from tests.contracts.postgres_world import PostgresWorld
from tests.support.fills.crowd import BEGAN, BUSIEST, COLLECTOR, DEVOTEE, DISCUSSED, LONG, PROLIFIC

DAY = BEGAN.date() + timedelta(days=7)
ANN, MIA, FAN = UserId(7), UserId(8), UserId(1005)
FIRST = PageRequest()
DEEP = PageRequest(after=Keyset(15, BEGAN + timedelta(minutes=2000), 2000))

Look = Callable[[PostgresWorld, PageRequest], Awaitable[Any]]

LISTS: dict[str, Look] = {
    "feed": lambda world, page: world.read.generations.feed(FeedQuery(), viewer=ANN, page=page),
    "popular feed": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR), viewer=ANN, page=page
    ),
    "feed of a user": lambda world, page: world.read.generations.feed(FeedQuery(user_id=ANN), viewer=None, page=page),
    "feed of a style": lambda world, page: world.read.generations.feed(
        FeedQuery(style_id=StyleId(14)), viewer=None, page=page
    ),
    "feed of whom one follows": lambda world, page: world.read.generations.feed(
        FeedQuery(followed_by=FAN), viewer=FAN, page=page
    ),
    "following": lambda world, page: world.read.community.following(FAN, page=page),
    "popular feed of whom one follows": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, followed_by=FAN), viewer=FAN, page=page
    ),
    "comments with replies": lambda world, page: world.read.community.comments(GenerationId(16), viewer=ANN, page=page),
    "comments": lambda world, page: world.read.community.comments(GenerationId(14), viewer=ANN, page=page),
    "replies": lambda world, page: world.read.community.replies(DISCUSSED, viewer=ANN, page=page),
    "own images": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.COMPLETED, is_public=None, page=page
    ),
    "own public images": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.ALL, is_public=True, page=page
    ),
    "own images that failed": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.FAILED, is_public=None, page=page
    ),
    "styles": lambda world, page: world.read.styles.list(StyleQuery(), page=page),
    "popular styles": lambda world, page: world.read.styles.list(StyleQuery(sort=StyleSort.POPULAR), page=page),
    "styles with unfinished ones": lambda world, page: world.read.styles.list(
        StyleQuery(own_unfinished=MIA), page=page
    ),
    "styles of an artist": lambda world, page: world.read.styles.list(StyleQuery(artist_id=MIA), page=page),
    "own styles": lambda world, page: world.read.styles.list_own(MIA, page=page),
    "notifications": lambda world, page: world.read.notifications.list(ANN, unread_only=False, page=page),
    "unread notifications": lambda world, page: world.read.notifications.list(ANN, unread_only=True, page=page),
    "transactions": lambda world, page: world.read.tokens.transactions(ANN, type=TransactionFilter.ALL, page=page),
    "own withdrawals": lambda world, page: world.read.withdrawals.list_own(MIA, page=page),
    "withdrawals": lambda world, page: world.read.withdrawals.list(status=None, page=page),
    "withdrawals to settle": lambda world, page: world.read.withdrawals.list(
        status=WithdrawalStatus.PENDING, page=page
    ),
    "refunds": lambda world, page: world.read.tokens.transactions(ANN, type=TransactionFilter.REFUND, page=page),
}
LONG_LISTS: dict[str, Look] = {
    "feed": LISTS["feed"],
    "popular feed": LISTS["popular feed"],
    "feed by a tag": lambda world, page: world.read.generations.feed(FeedQuery(tags=["late"]), viewer=None, page=page),
    "comments": lambda world, page: world.read.community.comments(BUSIEST, viewer=ANN, page=page),
    "transactions": lambda world, page: world.read.tokens.transactions(
        COLLECTOR, type=TransactionFilter.ALL, page=page
    ),
    "own images": lambda world, page: world.read.generations.list_own(
        COLLECTOR, status=StatusFilter.ALL, is_public=None, page=page
    ),
    "notifications": lambda world, page: world.read.notifications.list(COLLECTOR, unread_only=False, page=page),
}
FAR_DOWN = LONG - 1000
NARROWED: dict[str, Look] = {
    "popular feed of a user": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, user_id=PROLIFIC), viewer=None, page=page
    ),
    "feed by a common tag": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["tag 4"]), viewer=None, page=page
    ),
    "feed by a rare tag": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["rare 4"]), viewer=None, page=page
    ),
    "feed by a tag that the newest lack": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["early"]), viewer=None, page=page
    ),
    "popular feed by a tag that those with most likes lack": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["early"]), viewer=None, page=page
    ),
    "feed by two tags": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["tag 4", "rare 4"]), viewer=None, page=page
    ),
    "feed by a tag that there is not": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["none"]), viewer=None, page=page
    ),
    "popular feed by a common tag": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["tag 9"]), viewer=None, page=page
    ),
    "popular feed by a rare tag": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["rare 4"]), viewer=None, page=page
    ),
    "styles by a common tag": lambda world, page: world.read.styles.list(StyleQuery(tags=["tag 4"]), page=page),
    "styles by a rare tag": lambda world, page: world.read.styles.list(StyleQuery(tags=["rare 4"]), page=page),
    "popular styles by a tag": lambda world, page: world.read.styles.list(
        StyleQuery(sort=StyleSort.POPULAR, tags=["tag 4"]), page=page
    ),
    "popular styles by a rare tag": lambda world, page: world.read.styles.list(
        StyleQuery(sort=StyleSort.POPULAR, tags=["rare 4"]), page=page
    ),
    "styles by a tag with unfinished ones": lambda world, page: world.read.styles.list(
        StyleQuery(tags=["rare 4"], own_unfinished=MIA), page=page
    ),
}
SINGLE: dict[str, Look] = {
    "requester": lambda world, _: world.scope().sessions.requester(bytes(32), at=BEGAN),
    "me": lambda world, _: world.read.accounts.me(MIA),
    "profile": lambda world, _: world.read.accounts.profile(ANN, viewer=MIA),
    "balance": lambda world, _: world.funds(MIA),
    "earnings by day": lambda world, _: world.read.tokens.earnings(
        MIA, first=DAY, last=DAY + timedelta(days=6), group=EarningsGroup.DAY
    ),
    "earnings by style": lambda world, _: world.read.tokens.earnings(
        MIA, first=DAY, last=DAY + timedelta(days=6), group=EarningsGroup.STYLE
    ),
    "style": lambda world, _: world.read.styles.detail(StyleId(14), viewer=Requester(MIA, Role.ADMIN, True)),
    "tags that go with a style": lambda world, _: world.read.styles.recommended_tags(StyleId(14), viewer=None),
    "versions of a style": lambda world, _: world.read.versions.list(
        StyleId(14), viewer=Requester(MIA, Role.ADMIN, True)
    ),
    "version of a style": lambda world, _: world.read.versions.detail(
        StyleId(14), 1, viewer=Requester(MIA, Role.ADMIN, True)
    ),
    "latest version of a style": lambda world, _: world.training_of(StyleId(14)),
    "offer of an earlier version": lambda world, _: _offer(world),
    "image": lambda world, _: world.read.generations.detail(GenerationId(14), viewer=ANN),
    "silent images": lambda world, _: _inactive_generations(world),
    "images not resumed": lambda world, _: _unresumed_images(world),
    "silent trainings": lambda world, _: _inactive_trainings(world),
    "place in the queue": lambda world, _: world.read.generations.last_in_queue(),
}


async def _inactive_generations(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.generations.stalled(since=BEGAN + timedelta(days=1), limit=100)


async def _unresumed_images(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.generations.unresumed(since=BEGAN + timedelta(days=1), limit=100)


async def _offer(world: PostgresWorld) -> object:
    async with world.block() as ports:
        await ports.versions.of_number(StyleId(14), 1)
        return await ports.styles.offer(StyleId(14))


async def _inactive_trainings(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.versions.stalled(since=BEGAN + timedelta(days=1), limit=100)


@pytest.mark.parametrize("look", (LISTS | NARROWED | SINGLE).values(), ids=LISTS | NARROWED | SINGLE)
async def test_no_query_scans_a_whole_table(crowded_url: str, look: Look) -> None:
    """Nor does any list pass over the rows of the pages before."""
    for plan in await plans(crowded_url, at(look, FIRST)):
        assert plan.sequential_scans() == set()
        assert "OFFSET" not in plan.sql


@pytest.mark.parametrize("look", LISTS.values(), ids=LISTS)
async def test_a_page_reads_few_rows_at_any_depth(crowded_url: str, look: Look) -> None:
    """In one statement or two."""
    first, deep = [await plans(crowded_url, at(look, page)) for page in (FIRST, DEEP)]

    assert len(first) <= 2
    for plan in [*first, *deep]:
        assert plan.most_rows() <= 1000
    assert blocks(deep) <= 2 * blocks(first) + 50


@pytest.mark.parametrize("look", LONG_LISTS.values(), ids=LONG_LISTS)
async def test_a_deep_page_costs_as_much_as_the_first(crowded_url: str, look: Look) -> None:
    async with create_pool(crowded_url, max_size=2) as pool:
        shown = await look(PostgresWorld(pool), PageRequest(FAR_DOWN))
    page = shown if isinstance(shown, Page) else shown[0]
    assert len(page.rows) == FAR_DOWN

    first, deep = [await plans(crowded_url, at(look, page)) for page in (FIRST, PageRequest(after=page.next))]

    for plan, plan_deep in zip(first, deep, strict=True):
        assert plan_deep.most_rows() <= plan.most_rows() + 1
        # What belongs to a row is joined in one way or in another, which differs by a few pages for each.
        assert plan_deep.blocks <= plan.blocks + 5 * FIRST.limit


@pytest.mark.parametrize("look", NARROWED.values(), ids=NARROWED)
@pytest.mark.parametrize("page", [FIRST, DEEP], ids=["first", "deep"])
async def test_a_page_by_rare_or_common_tags_reads_one_window(crowded_url: str, look: Look, page: PageRequest) -> None:
    """Neither all rows, for a tag that few have, nor all that have a common one."""
    for generic in (False, True):
        [plan] = await plans(crowded_url, at(look, page), generic=generic)

        assert plan.most_rows() <= WINDOW
        assert plan.blocks <= 3 * WINDOW


async def test_the_feed_of_a_thousand_followed_users_reads_few_rows(crowded_url: str) -> None:
    """One of each, then a page of each of those who made the newest."""
    for page in (FIRST, DEEP):
        for sort in FeedSort:
            [plan] = await plans(crowded_url, feed_of(FeedQuery(sort=sort, followed_by=DEVOTEE), page))

            assert "generations" not in plan.sequential_scans()
            assert plan.most_rows() <= 1000
            assert plan.blocks <= 10_000


async def test_a_generation_is_read_by_index_one_row_per_table(crowded_url: str) -> None:
    """Who polls costs this much each time, whether anything has changed or not."""
    [plan] = await plans(crowded_url, at(SINGLE["image"], FIRST))

    looked_at = [node for node in nodes(plan.carried_out) if "Relation Name" in node and node["Actual Loops"]]
    assert "generations" in {node["Relation Name"] for node in looked_at}
    for node in looked_at:
        assert node["Node Type"] in {"Index Scan", "Index Only Scan"}
        assert (node["Actual Loops"], node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= 1) == (1, True)


def at(look: Look, page: PageRequest) -> Callable[[PostgresWorld], Awaitable[object]]:
    return lambda world: look(world, page)


def feed_of(query: FeedQuery, page: PageRequest) -> Callable[[PostgresWorld], Awaitable[object]]:
    return lambda world: world.read.generations.feed(query, viewer=None, page=page)


def blocks(statements: list[Plan]) -> int:
    return sum(plan.blocks for plan in statements)
