"""The pages of every list make up the list, also with rows added or removed between two pages."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from core.generations.views import FeedQuery, FeedSort
from core.paging import PageRequest
from core.styles.views import StyleQuery, StyleSort
from tests.contracts.lists import LISTS, Listed, Read, walk
from tests.support.scope import Readers
from tests.support.world import World

ROWS = 10


def test_every_list_is_covered() -> None:
    lists = {
        f"{field.name}.{name}"
        for field in fields(Readers)
        for name, method in inspect.getmembers(get_type_hints(Readers)[field.name], inspect.isfunction)
        if "page" in inspect.signature(method).parameters
    }
    assert {name.partition(",")[0] for name in LISTS} == lists


@pytest.mark.parametrize("name", LISTS)
async def test_pages_together_are_the_ordered_list(world: World, name: str) -> None:
    listed = await filled(world, name)
    rows = (await listed.read(PageRequest(100))).rows
    assert rows == sorted(rows, key=listed.order, reverse=not listed.oldest_first)

    for limit in (1, 3, 5, 20):
        pages = await walk(listed.read, limit=limit)
        assert [row for page in pages for row in page] == rows
        # A full page may be the last one, and says so.
        assert [len(page) for page in pages] == [min(limit, ROWS - start) for start in range(0, ROWS, limit)]


@pytest.mark.parametrize("name", LISTS)
async def test_concurrent_changes_skip_and_repeat_nothing(world: World, name: str) -> None:
    listed = await filled(world, name)
    whole = [row.id for row in (await listed.read(PageRequest(100))).rows]
    seen: list[Any] = []
    gone: set[Any] = set()

    async def read(page: PageRequest) -> Any:
        found = await listed.read(page)
        seen.extend(row.id for row in found.rows)
        return found

    async def come_and_go() -> None:
        await listed.come()
        if listed.go and len(gone) < 4:
            # The last row of this page, after which the next one starts, and one that is still to come.
            leaving = [seen[-1], *[row for row in whole if row not in seen and row not in gone][-1:]]
            gone.update(leaving)
            for row in leaving:
                await listed.go(row)

    await walk(read, limit=3, between=come_and_go)

    assert len(seen) == len(set(seen))
    assert [row for row in seen if row in whole] == [row for row in whole if row in seen]
    assert {*whole} - {*seen} <= gone


async def filled(world: World, name: str) -> Listed:
    listed = await LISTS[name](world)
    for index in range(ROWS):
        if index % 2:  # two at each moment: then the id decides
            world.clock.advance()
        await listed.come()
    return listed


TAGGED = {
    "one": {2},
    "all": {*range(12)},
    "ends": {0, 1, 9, 10, 11},
    "new": {8, 9, 10},
    "few": {0, 5, 10},
    "none": set(),
}
"""Which of twelve have a tag: found in a window of three rows alone, by an index alone, and by both."""


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("sort", FeedSort)
async def test_generations_by_rare_and_common_tags(world: World, sort: FeedSort) -> None:
    ann, style = await world.user("ann", tokens=1000), await world.style(await world.artist("mia"))
    made = []
    for number in range(12):
        if number % 2:
            world.clock.advance()
        made.append((await world.image(ann, style, public=True, prompt_tags=tags_of(number))).id)

    def by_tags(*tags: str) -> Read:
        query = FeedQuery(sort=sort, tags=list(tags))
        return lambda page: world.read.generations.feed(query, viewer=None, page=page)

    await all_are_found(made, by_tags)


@pytest.mark.usefixtures("small_window")
@pytest.mark.parametrize("sort", StyleSort)
async def test_styles_by_rare_and_common_tags(world: World, sort: StyleSort) -> None:
    mia = await world.artist("mia")
    made = []
    for number in range(12):
        if number % 2:
            world.clock.advance()
        made.append((await world.style(mia, f"Style {number}", tags=tags_of(number))).id)

    def by_tags(*tags: str) -> Read:
        query = StyleQuery(sort=sort, tags=list(tags), own_unfinished=mia.id)
        return lambda page: world.read.styles.list(query, page=page)

    await all_are_found(made, by_tags)


def tags_of(number: int) -> list[str]:
    return ["ink", *(tag for tag, tagged in TAGGED.items() if number in tagged)]


async def all_are_found(made: list[Any], by_tags: Callable[..., Read]) -> None:
    """By the second tag alone, and with the one that all have."""
    for tag, tagged in TAGGED.items():
        expected = [id for number, id in reversed([*enumerate(made)]) if number in tagged]
        for read in (by_tags(tag), by_tags("ink", tag)):
            for limit in (1, 2, 20):
                assert [row.id for page in await walk(read, limit=limit) for row in page] == expected
