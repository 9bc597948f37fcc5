"""Styles and artists are found by any part of their names, best match first."""

import asyncio
import unicodedata

import msgspec
import pytest

from core.accounts.edit_profile import EditProfile, ProfileChanges
from core.accounts.model import Artist, User
from core.errors import ValidationError
from core.search.matching import MatchedBy
from core.search.views import FoundArtist, FoundStyle, SearchType
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.views import StyleArtist
from tests.contracts.overlap import commit
from tests.support.derivatives import signed_urls
from tests.support.world import World


async def styles(world: World, text: str, *, limit: int = 20) -> list[str]:
    found = await world.read.search.search(text, type=SearchType.STYLES, limit=limit)
    assert found.artists == []
    return [style.name for style in found.styles]


async def artists(world: World, text: str, *, limit: int = 20) -> list[str]:
    found = await world.read.search.search(text, type=SearchType.ARTISTS, limit=limit)
    assert found.styles == []
    return [artist.username for artist in found.artists]


async def named_artist(world: World, username: str, artist_name: str) -> User:
    user = await world.user(username)
    artist = Artist(user.id, artist_name, "a@example.com", "signatures/x.png", world.clock.now())
    await commit(world, lambda ports: ports.users.add_artist(artist))
    return user


async def test_a_result_shows_the_artist_and_what_matched(world: World, mia: User) -> None:
    ink = await world.style(mia, "Ink Wash", tags=["ink wash", "misty hills"])
    await world.image(await world.user("ann", tokens=100), ink)
    images = await signed_urls(f"samples/{ink.id}/image_0.jpg", world.blobs)
    expected = FoundStyle(
        id=ink.id,
        name="Ink Wash",
        thumbnail_url=images.original,
        images=images,
        artist=StyleArtist(mia.id, "mia", "Mia"),
        matched_by=MatchedBy.NAME,
        usage_count=1,
    )

    by_name = await world.read.search.search("wash", type=SearchType.ALL, limit=20)
    assert by_name.styles == [expected]
    by_tag = await world.read.search.search("misty", type=SearchType.ALL, limit=20)
    assert by_tag.styles == [msgspec.structs.replace(expected, matched_by=MatchedBy.TAG)]
    assert by_name.artists == by_tag.artists == []


async def test_an_artist_is_found_by_both_names(world: World) -> None:
    mia = await named_artist(world, "mia.k", "Blue Heron")
    await world.follow(await world.user("ann"), mia)
    expected = FoundArtist(mia.id, "mia.k", "Blue Heron", None, None, 1, MatchedBy.NAME)

    found = await world.read.search.search("HERON", type=SearchType.ALL, limit=20)
    assert (found.artists, found.styles) == ([expected], [])
    found = await world.read.search.search("a.k", type=SearchType.ALL, limit=20)
    assert found.artists == [expected]


@pytest.mark.parametrize(
    ("name", "text"),
    [("İpek", "ipek"), ("ipek", "İPEK"), ("김서연", unicodedata.normalize("NFD", "서연")), ("Ipek", "i\u0307pek")],
)
async def test_an_artists_name_is_found_in_any_case_and_normal_form(world: World, name: str, text: str) -> None:
    await named_artist(world, "someone", name)

    assert await artists(world, text) == ["someone"]


async def test_users_who_are_not_artists_are_not_found(world: World) -> None:
    await world.user("miaow")

    assert await artists(world, "miaow") == []


@pytest.mark.parametrize(
    "text", ["Ink Wash 먹", "ink", "INK", "wash", "nk wa", "k", "먹", "h 먹", "  ink   WASH ", "sh"]
)
async def test_any_part_of_a_name_in_any_case_matches(world: World, mia: User, text: str) -> None:
    await world.style(mia, "Ink Wash 먹", tags=[])

    assert await styles(world, text) == ["Ink Wash 먹"]


@pytest.mark.parametrize("text", ["ink wash 먹물", "wash ink", "inkk", "iink", "in k", "물", "z"])
async def test_an_unmatched_query_finds_nothing(world: World, mia: User, text: str) -> None:
    await world.style(mia, "Ink Wash 먹", tags=[])

    assert await styles(world, text) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("고양이 수채화", "채화"),
        ("고양이 수채화", unicodedata.normalize("NFD", "수채화")),
        (unicodedata.normalize("NFD", "고양이"), "양이"),
        ("Straße", "STRASSE"),
        ("ÉTOILE", "étoile"),
        ("Λευκός", "ΛΕΥΚΌΣ"),
        ("İstanbul nights", "istanbul"),
        ("İstanbul nights", "İSTANBUL"),
        ("istanbul nights", "İstanbul"),
        ("istanbul nights", unicodedata.normalize("NFD", "İstan")),
        ("İstanbul nights", "i\u0307stanbul"),
        ("İstanbul nights", "stan\u200bbul"),
        ("浮世絵 風", "世絵"),
        ("Neon 🌆 city", "🌆"),
        ("100% ink_wash", "0% i"),
        ('It\'s "ink"', "'s \"i"),
        ("back\\slash", "k\\s"),
        ("a{b,c}d", "{b,c}"),
    ],
)
async def test_every_script_and_symbol_matches(world: World, mia: User, name: str, text: str) -> None:
    await world.style(mia, name, tags=[])
    await world.style(mia, "Other", tags=["other"])

    assert await styles(world, text) == [name]


@pytest.mark.parametrize(
    "text", ["%", "_", "%ink%", "i_k", "'", '"', "\\", "'; DROP TABLE styles; --", "🌆", ".", "^i"]
)
async def test_wildcards_are_matched_literally(world: World, mia: User, text: str) -> None:
    await world.style(mia, "Ink")

    assert await styles(world, text) == []
    assert await styles(world, "ink") == ["Ink"]


@pytest.mark.parametrize("text", ["", "  ", "\0", "\n\t", "x" * 101, "x" * 10_000, "ß" * 100])
async def test_an_invalid_query_is_refused(world: World, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        await world.read.search.search(text, type=SearchType.ALL, limit=20)
    assert set(refused.value.details or {}) == {"q"}


async def test_the_best_match_comes_first(world: World) -> None:
    names = ["drinking", "thinker", "Pen-Ink", "Blue ink", "Inkling", "Ink"]
    for number, name in enumerate(names):
        await world.style(await world.artist(f"artist{number}"), name, tags=[])
    await world.style(await world.artist("zoe"), "By its tag", tags=["ink"])

    found = await styles(world, "ink")
    assert found[:3] == ["Ink", "By its tag", "Inkling"]
    assert set(found[3:5]) == {"Pen-Ink", "Blue ink"}
    assert set(found[5:]) == {"drinking", "thinker"}
    assert await styles(world, "ink", limit=2) == found[:2]


async def test_equal_matches_are_sorted_by_use(world: World, mia: User) -> None:
    ann = await world.user("ann", tokens=1000)
    one, two, three = [await world.style(mia, f"Ink {name}", tags=[]) for name in ("one", "two", "three")]
    for style, images in ((two, 2), (three, 1)):
        for _ in range(images):
            await world.image(ann, style)

    assert await styles(world, "ink") == [two.name, three.name, one.name]


async def test_equal_matches_are_sorted_by_followers(world: World) -> None:
    await named_artist(world, "kim-a", "A")
    popular = await named_artist(world, "kim-b", "B")
    await world.follow(await world.user("ann"), popular)

    assert await artists(world, "kim") == ["kim-b", "kim-a"]
    assert await artists(world, "kim", limit=1) == ["kim-b"]


async def test_an_exact_match_is_found_among_hundreds_that_contain_it(world: World, mia: User) -> None:
    for number in range(130):
        await world.style(mia, f"Drinking {number}", tags=[])
    await world.style(mia, "Blue ink", tags=[])
    await world.style(mia, "Ink", tags=[])

    assert (await styles(world, "ink", limit=100))[:2] == ["Ink", "Blue ink"]


async def test_only_usable_styles_are_found(world: World, mia: User) -> None:
    await world.untrained_style(mia, "Ink raw")
    style = await world.style(mia, "Ink")
    assert await styles(world, "ink") == ["Ink"]

    await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=False))
    assert await styles(world, "ink") == []

    await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=True))
    assert await styles(world, "ink") == ["Ink"]
    await world.use_case(DeleteStyle)(mia.id, style.id)
    assert await styles(world, "ink") == []


async def test_only_present_tags_are_found(world: World, mia: User) -> None:
    style = await world.style(mia, "Ink", tags=["river"])

    await commit(world, lambda ports: ports.styles.save(msgspec.structs.replace(style, tags=["mountain"])))

    assert (await styles(world, "river"), await styles(world, "mountain")) == ([], ["Ink"])


async def test_an_artist_is_found_by_the_present_username(world: World, mia: User) -> None:
    await world.use_case(EditProfile)(mia.id, ProfileChanges(username="heron"))

    assert (await artists(world, "heron"), await artists(world, "mia")) == (["heron"], ["heron"])


async def test_an_artist_is_found_by_the_present_artist_name(world: World, mia: User) -> None:
    await world.use_case(EditProfile)(mia.id, ProfileChanges(artist_name="Égret", username="heron"))

    assert [await artists(world, text) for text in ("égret", "HERON", "mia")] == [["heron"], ["heron"], []]


async def test_a_refused_username_is_not_searchable(world: World, mia: User) -> None:
    await world.user("taken")

    await asyncio.gather(
        *(world.use_case(EditProfile)(mia.id, ProfileChanges(username=name)) for name in ("heron", "egret", "taken")),
        return_exceptions=True,
    )

    async with world.block() as ports:
        [now] = [(await ports.users.of_id(mia.id)).username]
    assert now in {"heron", "egret"}
    assert [await artists(world, name) for name in ("heron", "egret", "taken")] == [
        [now] if name == now else [] for name in ("heron", "egret", "taken")
    ]
