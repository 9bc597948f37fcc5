"""Which tags are in use and how often, and which go with a style."""

import asyncio
from io import BytesIO

import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.accounts.model import User
from core.errors import ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.model import Generation
from core.generations.views import FeedQuery
from core.identifiers import StyleId
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.requester import Requester, Role
from core.search.views import SearchType
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import StyleNotFound
from core.styles.model import Style
from core.styles.views import RECOMMENDED, StyleQuery
from tests.support.pictures import picture
from tests.support.world import World


@pytest.fixture
async def ann(world: World) -> User:
    return await world.user("ann", tokens=10_000)


async def used(world: World, text: str = "", *, limit: int = 20) -> list[tuple[str, int]]:
    return [(tag.name, tag.usage_count) for tag in await world.read.search.tags(text, limit=limit)]


async def recommended(world: World, style: Style, viewer: User | None = None) -> dict[str, int]:
    who = Requester(viewer.id, viewer.role, True) if viewer else None
    return {tag.name: tag.count for tag in await world.read.styles.recommended_tags(style.id, viewer=who)}


async def roll_up(world: World) -> None:
    """Several at once, for each of which it is too much to do it alone."""
    for _ in range(20):
        await asyncio.gather(*(world.maintenance.roll_up_tags(limit=5) for _ in range(3)))
        await asyncio.gather(*(world.maintenance.roll_up_uses(limit=1) for _ in range(3)))


# --- in use -----------------------------------------------------------------------------------------------------------


async def test_a_tag_counts_usable_styles_and_public_generations(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=["river", "ink"])
    await world.style(mia, "Oil", tags=["river"])
    await world.image(ann, ink, public=True, prompt_tags=["river", "boat"])

    assert await used(world) == [("river", 3), ("boat", 1), ("ink", 1)]
    tags = await world.read.search.tags("", limit=20)
    assert len({tag.id for tag in tags}) == 3


async def test_tags_of_hidden_styles_do_not_count(world: World, mia: User, ann: User) -> None:
    await world.untrained_style(mia, "Ink", tags=["secret"])
    oil = await world.style(mia, "Oil", tags=[])
    await world.image(ann, oil, prompt_tags=["secret"])
    await world.generation(ann, oil, prompt_tags=["secret"])
    await world.failed_generation(ann, oil, prompt_tags=["secret"])

    assert await used(world) == []


@pytest.mark.parametrize("rolled_up", [False, True], ids=["as deltas", "rolled up"])
async def test_counts_follow_visibility(world: World, mia: User, ann: User, *, rolled_up: bool) -> None:
    ink = await world.style(mia, "Ink", tags=["river"])
    image = await world.image(ann, ink, public=True, prompt_tags=["river", "boat"])

    async def counts() -> list[tuple[str, int]]:
        if rolled_up:
            await roll_up(world)
        return await used(world)

    assert await counts() == [("river", 2), ("boat", 1)]
    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(description="Still there"))
    assert await counts() == [("river", 2), ("boat", 1)]
    await hide(world, ann, image)
    assert await counts() == [("river", 1)]
    await world.use_case(EditStyle)(mia.id, ink.id, StyleChanges(is_active=False))
    assert await counts() == []
    await world.use_case(EditStyle)(mia.id, ink.id, StyleChanges(is_active=True))
    assert await counts() == [("river", 1)]


async def hide(world: World, owner: User, image: Generation) -> None:
    await world.use_case(EditGeneration)(owner.id, image.id, GenerationChanges(is_public=False))


async def test_tags_of_a_deleted_style_are_not_listed(world: World, mia: User) -> None:
    style = await world.style(mia, "Ink", tags=["river"])
    assert await used(world) == [("river", 1)]

    await world.use_case(DeleteStyle)(mia.id, style.id)

    assert await used(world) == []


async def test_the_most_used_tags_come_first_rolled_up_or_not(world: World, mia: User) -> None:
    for number in range(6):
        await world.style(mia, f"Style {number}", tags=["a", "b", "c", "d"][: number % 4 + 1])
        if number == 2:
            await roll_up(world)
    # a 6, b 4, c 2, d 1

    assert await used(world) == [("a", 6), ("b", 4), ("c", 2), ("d", 1)]
    assert await used(world, limit=2) == [("a", 6), ("b", 4)]
    await world.style(mia, "Last", tags=["c", "d", "e"])
    assert await used(world, limit=4) == [("a", 6), ("b", 4), ("c", 3), ("d", 2)]
    await roll_up(world)
    assert await used(world, limit=4) == [("a", 6), ("b", 4), ("c", 3), ("d", 2)]


@pytest.mark.usefixtures("small_window")
async def test_a_prefix_lists_the_most_used_tags_first(world: World, mia: User) -> None:
    """Other beginnings are used more, and the last two uses have not been rolled up yet."""
    for number in range(5):
        tags = ["blue", "black", "brown", *["ash", "azure", "amber"][number % 3 :]]
        await world.style(mia, f"Style {number}", tags=tags)
    await world.maintenance.roll_up_tags(limit=1000)
    await world.style(mia, "Last", tags=["ash", "aqua"])

    for limit in (1, 2, 20):
        assert await used(world, "a", limit=limit) == [("amber", 5), ("azure", 4), ("ash", 3), ("aqua", 1)][:limit]


async def test_a_tag_that_lost_uses_is_replaced_by_the_next(world: World, mia: User) -> None:
    styles = [await world.style(mia, f"Style {number}", tags=["a", "b"][: 2 - number]) for number in range(2)]
    await world.style(mia, "Another", tags=["c"])
    await roll_up(world)
    assert await used(world, limit=1) == [("a", 2)]

    for style in styles:
        await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=False))

    assert await used(world, limit=1) == [("c", 1)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ink", ["ink", "ink wash", "ink_dry", "inky"]),
        ("INK", ["ink", "ink wash", "ink_dry", "inky"]),
        ("  ink  ", ["ink", "ink wash", "ink_dry", "inky"]),
        ("ink  w", ["ink wash"]),
        ("ink_", ["ink_dry"]),
        ("i", ["ink", "ink wash", "ink_dry", "inky"]),
        ("k", []),
        ("0", ["0-day"]),
        ("0-", ["0-day"]),
        ("inkyy", []),
        (" ", ["0-day", "ink", "ink wash", "ink_dry", "inky", "zebra"]),
    ],
)
async def test_a_prefix_finds_tags(world: World, mia: User, text: str, names: list[str]) -> None:
    await world.style(mia, "Style", tags=["ink", "ink wash", "ink_dry", "inky", "zebra", "0-day"])

    assert [name for name, _ in await used(world, text)] == names
    await roll_up(world)
    assert [name for name, _ in await used(world, text)] == names


@pytest.mark.parametrize(
    "text", ["%", "_", "i%", "'", '"', "\\", "'; DROP TABLE tags; --", "🌆", "먹", "ink\0", "\0", "i,"]
)
async def test_an_unknown_prefix_finds_nothing(world: World, mia: User, text: str) -> None:
    await world.style(mia, "Style", tags=["ink"])

    assert await used(world, text) == []


async def test_a_prefix_longer_than_any_tag_is_refused(world: World, mia: User) -> None:
    longest = "x" * 100
    await world.style(mia, "Style", tags=[longest])

    assert await used(world, longest) == [(longest, 1)]
    for text in ("x" * 101, "x" * 10_000):
        with pytest.raises(ValidationError) as refused:
            await world.read.search.tags(text, limit=20)
        assert set(refused.value.details or {}) == {"search"}


async def test_concurrent_publications_of_new_tags_are_counted_exactly(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=[])
    images = [await world.image(ann, ink, prompt_tags=["a", "b"] if n % 2 else ["b", "a"]) for n in range(8)]
    for image in images:
        await world.blobs.put(Blob(str(image.result_key), BytesIO(picture()), "image/png"))

    await asyncio.gather(
        *(world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True)) for image in images),
        *(world.maintenance.roll_up_tags(limit=1000) for _ in range(3)),
    )

    assert await used(world) == [("a", 8), ("b", 8)]
    await roll_up(world)
    assert await used(world) == [("a", 8), ("b", 8)]


# --- recommended ------------------------------------------------------------------------------------------------------


async def test_artworks_and_published_prompts_are_counted(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=["ink"])
    await world.image(ann, ink, public=True, prompt_tags=["ink", "boat"])
    await world.image(ann, ink, public=True, prompt_tags=["boat", "number 3"])
    await world.image(ann, ink, prompt_tags=["boat", "secret"])
    await world.failed_generation(ann, ink, prompt_tags=["never"])
    await world.generation(ann, ink, prompt_tags=["never"])
    await world.image(ann, await world.style(mia, "Oil", tags=[]), public=True, prompt_tags=["boat", "elsewhere"])
    expected = {"ink": 11, "boat": 2, "number 3": 2} | {f"number {n}": 1 for n in range(10) if n != 3}

    for _ in range(2):
        assert list((await recommended(world, ink)).items()) == list(expected.items())
        await roll_up(world)
    await world.image(ann, ink, public=True, prompt_tags=["boat"])
    assert await recommended(world, ink) == expected | {"boat": 3}


@pytest.mark.parametrize("rolled_up", [False, True], ids=["as deltas", "rolled up"])
async def test_tags_of_a_hidden_generation_are_not_recommended(
    world: World, mia: User, ann: User, *, rolled_up: bool
) -> None:
    ink = await world.style(mia, "Ink", tags=["ink"])
    others = await world.image(ann, ink, public=True, prompt_tags=["boat"])
    image = await world.image(ann, ink, prompt_tags=["boat", "secret"])
    await world.blobs.put(Blob(str(image.result_key), BytesIO(picture()), "image/png"))

    async def counts() -> tuple[int, int]:
        if rolled_up:
            await roll_up(world)
        tags = await recommended(world, ink)
        assert await recommended(world, ink, ann) == await recommended(world, ink, mia) == tags
        return tags.get("boat", 0), tags.get("secret", 0)

    assert await counts() == (1, 0)
    for public, expected in ((True, (2, 1)), (False, (1, 0)), (True, (2, 1)), (False, (1, 0))):
        await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=public))
        await world.use_case(EditGeneration)(ann.id, others.id, GenerationChanges(description=f"{public}"))
        assert await counts() == expected


async def test_rolling_up_changes_no_count(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=[])
    for _ in range(2):
        await hide(world, ann, await world.image(ann, ink, public=True, prompt_tags=["secret"]))
    await world.image(ann, ink, public=True, prompt_tags=["boat"])

    for _ in range(8):
        tags = await recommended(world, ink)
        assert (tags.get("boat"), tags.get("secret")) == (1, None)
        await world.maintenance.roll_up_tags(limit=1)


async def test_concurrent_publications_keep_recommendations_exact(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=[])
    shown = [await world.image(ann, ink, public=True, prompt_tags=["a", "b"]) for _ in range(4)]
    hidden = [await world.image(ann, ink, prompt_tags=["b", "c"]) for _ in range(4)]
    for image in hidden:
        await world.blobs.put(Blob(str(image.result_key), BytesIO(picture()), "image/png"))

    await asyncio.gather(
        *(world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True)) for image in hidden),
        *(hide(world, ann, image) for image in shown),
        *(world.maintenance.roll_up_tags(limit=3) for _ in range(4)),
    )

    for _ in range(2):
        tags = await recommended(world, ink)
        assert {name: tags.get(name) for name in "abc"} == {"a": None, "b": 4, "c": 4}
        await roll_up(world)


async def test_prompts_of_private_generations_are_not_shown(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=["ink"])
    await world.image(ann, ink, prompt_tags=["secret"], description="a secret")

    assert await used(world, "secret") == []
    assert "secret" not in await recommended(world, ink)
    found = await world.read.search.search("secret", type=SearchType.ALL, limit=20)
    assert (found.styles, found.artists) == ([], [])
    for viewer in (None, mia.id, ann.id):
        for query in (FeedQuery(), FeedQuery(tags=["secret"]), FeedQuery(style_id=ink.id)):
            assert (await world.read.generations.feed(query, viewer=viewer, page=PageRequest())).rows == []
    assert (await world.read.styles.list(StyleQuery(tags=["secret"]), page=PageRequest())).rows == []


@pytest.mark.parametrize("rolled_up", [False, True], ids=["as deltas", "rolled up"])
async def test_tags_of_an_erased_user_are_not_recommended(
    world: World, mia: User, ann: User, *, rolled_up: bool
) -> None:
    """Tags are a buyer's own words. How often the style was used stays as it is."""
    bob = await world.user("bob", tokens=100)
    ink = await world.style(mia, "Ink", tags=["ink"])
    for who, tags in ((ann, ["boat", "ann's"]), (ann, ["boat", "ink"]), (bob, ["boat"])):
        await world.image(who, ink, public=True, prompt_tags=tags)
    await world.failed_generation(ann, ink, prompt_tags=["boat"])
    if rolled_up:
        await roll_up(world)
    await world.image(ann, ink, public=True, prompt_tags=["boat", "late"])

    await world.use_case(DeleteAccount)(ann.id)

    expected = {"ink": 10, "boat": 1} | {f"number {n}": 1 for n in range(10)}
    for _ in range(2):
        assert await recommended(world, ink) == expected
        assert (await world.read.styles.detail(ink.id, viewer=None)).usage_count == 4
        await roll_up(world)


async def test_only_the_most_frequent_tags_are_recommended(world: World, mia: User, ann: User) -> None:
    ink = await world.style(mia, "Ink", tags=["ink"])
    await world.image(ann, ink, public=True, prompt_tags=[f"tag {number:02}" for number in range(70)])
    await world.image(ann, ink, public=True, prompt_tags=["tag 50"])
    expected = ["ink", "tag 50", *(f"number {number}" for number in range(10)), *(f"tag {n:02}" for n in range(8))]

    assert len(expected) == RECOMMENDED
    for _ in range(2):
        assert list(await recommended(world, ink)) == expected
        await roll_up(world)


async def test_recommendations_are_visible_with_the_style(world: World, mia: User, ann: User) -> None:
    raw = await world.untrained_style(mia, "Raw", tags=["raw"])
    admin = Requester(ann.id, Role.ADMIN, True)

    assert (await recommended(world, raw, mia))["raw"] == 10
    assert await world.read.styles.recommended_tags(raw.id, viewer=admin)
    for viewer in (None, ann):
        with pytest.raises(StyleNotFound):
            await recommended(world, raw, viewer)
    with pytest.raises(StyleNotFound):
        await world.read.styles.recommended_tags(StyleId(10**12), viewer=admin)

    closed = await world.style(mia, "Closed")
    await world.use_case(EditStyle)(mia.id, closed.id, StyleChanges(is_active=False))
    assert await recommended(world, closed)
