"""What few or many have is found page by page, whichever way the database looks for it."""

import pytest

from core.generations.views import FeedItem, FeedQuery, FeedSort
from core.paging import Page, PageRequest
from core.styles.views import StyleCard, StyleQuery, StyleSort
from tests.contracts.paging import walk
from tests.contracts.postgres_world import PostgresWorld

RED_ONES = [{2}, set(range(12)), {0, 1, 9, 10, 11}, {8, 9, 10}, set(range(0, 12, 5)), set()]
"""Of twelve: by the window alone, by the index alone, and by both."""


@pytest.fixture(autouse=True)
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("paging", "search"):
        monkeypatch.setattr(f"adapters.postgres.{module}.WINDOW", 3)


@pytest.mark.parametrize("sort", FeedSort)
@pytest.mark.parametrize("red", RED_ONES)
async def test_images_by_tag(world: PostgresWorld, red: set[int], sort: FeedSort) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(await world.artist("mia"))
    expected: list[int] = []
    for number in range(12):
        if number % 2:  # two each at the same moment: ids decide
            world.clock.advance()
        tags = ["ink", "red"] if number in red else ["ink"]
        image = await world.image(ann, style, public=True, prompt_tags=tags)
        if number in red:
            expected.insert(0, image.id)

    async def read(page: PageRequest) -> Page[FeedItem]:
        return await world.read.generations.feed(FeedQuery(sort=sort, tags=["ink", "red"]), viewer=None, page=page)

    for limit in (1, 2, 20):
        pages = await walk(read, limit=limit)
        assert [item.id for page in pages for item in page] == expected
        assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.parametrize("sort", StyleSort)
@pytest.mark.parametrize("red", RED_ONES)
async def test_styles_by_tag(world: PostgresWorld, red: set[int], sort: StyleSort) -> None:
    mia = await world.artist("mia")
    expected: list[int] = []
    for number in range(12):
        style = await world.style(mia, f"Style {number}", tags=["red"] if number in red else [])
        world.clock.advance()
        if number in red:
            expected.insert(0, style.id)

    async def read(page: PageRequest) -> Page[StyleCard]:
        return await world.read.styles.list(StyleQuery(sort=sort, tags=["red"], own_unfinished=mia.id), page=page)

    for limit in (1, 2, 20):
        assert [card.id for page in await walk(read, limit=limit) for card in page] == expected


@pytest.mark.parametrize("limit", [1, 2, 20])
async def test_tags_by_their_beginning(world: PostgresWorld, limit: int) -> None:
    """What is used most has begun otherwise; two have not been counted to the end yet."""
    mia = await world.artist("mia")
    for number in range(5):
        await world.style(
            mia, f"Style {number}", tags=["blue", "black", "brown", *["ash", "azure", "amber"][number % 3 :]]
        )
    await world.maintenance.roll_up_tags(limit=1000)
    await world.style(mia, "Last", tags=["ash", "aqua"])

    tags = await world.read.search.tags("a", limit=limit)

    used = [("amber", 5), ("azure", 4), ("ash", 3), ("aqua", 1)]
    assert [(tag.name, tag.usage_count) for tag in tags] == used[:limit]
