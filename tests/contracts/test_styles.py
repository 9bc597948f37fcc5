"""The repository of styles."""

import unicodedata
from datetime import timedelta

import msgspec
import pytest

from core.accounts.model import User
from core.identifiers import StyleId, VersionId
from core.styles.errors import DuplicateStyleName, StyleNotFound
from core.styles.model import License, Offer, Style
from tests.contracts.overlap import Block, Work, commit, race, sending
from tests.contracts.styles import artwork, own
from tests.support.scope import Scope
from tests.support.world import World

# --- the repository ---------------------------------------------------------------------------------------------------


async def test_an_added_style_is_returned_unchanged(world: World) -> None:
    mia = await world.artist("mia")
    style_id = await world.ids.style()
    style = Style(
        id=style_id,
        artist_id=mia.id,
        name="먹 Ink",
        description="검은 먹",
        generation_cost_tokens=10_000,
        license_type=License.EXCLUSIVE,
        tags=["ink", "black and white"],
        version_id=VersionId(style_id),
        created_at=world.clock.now(),
        updated_at=world.clock.advance(timedelta(microseconds=1)),
        is_active=False,
        show_samples=False,
        valid_from=world.clock.now() - timedelta(days=1),
        valid_to=world.clock.now() + timedelta(days=1),
        model_path="gs://models/1",
    )
    await commit(world, lambda ports: ports.styles.add(style, world.first_version(style), []))

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == style
    assert await commit(world, lambda ports: ports.styles.of_id(style.id, lock=True)) == style


async def test_a_style_without_optional_fields_is_stored(world: World) -> None:
    style = await world.untrained_style(await world.artist(), tags=[])

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == style


async def test_a_saved_entity_is_stored(world: World) -> None:
    style = await world.untrained_style(await world.artist())
    closed = style.close(at=world.clock.advance())

    await commit(world, lambda ports: ports.styles.save(closed))

    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == closed


async def test_saving_waits_for_the_lock_of_the_style(world: World) -> None:
    style = await world.untrained_style(await world.artist())
    closed = style.close(at=world.clock.advance())

    locking = await Block(world, lambda ports: ports.styles.of_id(style.id, lock=True)).open()
    saving = await Block(world, sending(lambda ports: ports.styles.save(closed))).waits()

    assert await locking.commit() == style
    await saving.commit()
    assert await commit(world, lambda ports: ports.styles.of_id(style.id)) == closed


async def test_an_unknown_style_is_not_found(world: World) -> None:
    style = await world.style(await world.artist("mia"))
    nothing = await world.ids.style()

    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.of_id(nothing))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.of_id(nothing, lock=True))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.offer(nothing))
    with pytest.raises(StyleNotFound):
        await commit(world, lambda ports: ports.styles.save(msgspec.structs.replace(style, id=nothing)))
    with pytest.raises(StyleNotFound):
        await world.read.styles.detail(nothing, viewer=None)


async def test_a_returned_entity_is_independent_of_the_stored_one(world: World) -> None:
    style = await world.style(await world.artist(), tags=["ink"])

    (await commit(world, lambda ports: ports.styles.of_id(style.id))).tags.append("smuggled")
    (await world.read.styles.detail(style.id, viewer=None)).tags.append("smuggled")
    style.tags.append("smuggled")

    assert (await commit(world, lambda ports: ports.styles.of_id(style.id))).tags == ["ink"]
    assert (await world.read.styles.detail(style.id, viewer=None)).tags == ["ink"]


async def test_a_name_is_unique_per_artist(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    await world.untrained_style(mia, "Ink")

    with pytest.raises(DuplicateStyleName):
        await world.untrained_style(mia, "Ink")

    await world.untrained_style(mia, "Inks")
    await world.untrained_style(max_, "Ink")
    assert await names(world, mia) == ["ink", "inks"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("한글수채화", unicodedata.normalize("NFD", "한글수채화")),
        ("Ink", "INK"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("❤\ufe0f", "❤"),
    ],
)
async def test_names_that_look_alike_or_differ_in_case_are_one_name(world: World, one: str, other: str) -> None:
    """The repository itself is asked: whatever a use case looked up before, the store refuses the second one."""
    mia = await world.artist("mia")
    await world.untrained_style(mia, one)

    with pytest.raises(DuplicateStyleName):
        await world.untrained_style(mia, other)

    style = (await own(world, mia)).rows[0]
    assert style.name == one
    await commit(world, lambda ports: ports.styles.remove(style.id))
    await world.untrained_style(mia, other)


async def test_one_of_two_concurrent_styles_with_one_name_is_refused(world: World, sent: bool) -> None:
    mia = await world.artist("mia")

    async def add(ports: Scope) -> StyleId:
        style = await new_style(world, mia)
        await ports.styles.add(style, world.first_version(style), [artwork(style, await world.ids.artwork())])
        return style.id

    ended = await race(world, add, add, sent=sent)

    assert isinstance(ended.second, DuplicateStyleName)
    assert [card.id for card in (await own(world, mia)).rows] == [ended.first]


async def test_a_name_is_free_again_after_a_rollback(world: World) -> None:
    mia = await world.artist("mia")

    async def add(ports: Scope) -> None:
        style = await new_style(world, mia)
        await ports.styles.add(style, world.first_version(style), [])

    first = await Block(world, sending(add)).open()
    second = Block(world, sending(add))
    await second.worked_or_waits()
    await first.roll_back()

    assert await second.commit() is None
    assert await names(world, mia) == ["ink"]


async def test_a_portfolio_lists_all_styles_of_one_artist(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")
    await world.style(mia, "Ink")
    await world.style(mia, "Oil", is_active=False)
    await world.untrained_style(mia, "Chalk")
    await world.style(max_, "Pencil")

    assert await names(world, mia) == ["chalk", "ink", "oil"]
    assert await names(world, await world.artist("eve")) == []


async def test_a_locked_portfolio_serialises_additions(world: World) -> None:
    mia = await world.artist("mia")

    def add(name: str) -> Work:
        async def work(ports: Scope) -> list[str]:
            portfolio = await ports.styles.portfolio(mia.id, lock=True)
            style = await new_style(world, mia, name)
            await ports.styles.add(style, world.first_version(style), [])
            return portfolio.name_keys

        return work

    first = await Block(world, add("Ink")).open()
    second = await Block(world, add("Oil")).waits()

    assert await first.commit() == []
    assert await second.commit() == ["ink"]


async def test_portfolios_of_two_artists_do_not_wait_for_each_other(world: World) -> None:
    mia, max_ = await world.artist("mia"), await world.artist("max")

    one = await Block(world, lambda ports: ports.styles.portfolio(mia.id, lock=True)).open()
    other = await Block(world, lambda ports: ports.styles.portfolio(max_.id, lock=True)).open()

    await one.commit()
    await other.commit()


async def test_an_offer_has_the_terms_of_a_request(world: World) -> None:
    mia = await world.artist("mia")
    now = world.clock.now()
    style = await world.style(mia, license_type=License.EXCLUSIVE, valid_from=now, valid_to=now + timedelta(days=1))
    pending = await world.untrained_style(mia, "Oil", is_active=False)

    assert await commit(world, lambda ports: ports.styles.offer(style.id)) == Offer(
        style_id=style.id,
        artist_id=mia.id,
        generation_cost_tokens=30,
        license_type=License.EXCLUSIVE,
        is_active=True,
        valid_from=now,
        valid_to=now + timedelta(days=1),
        version=1,
        version_id=style.version_id,
        model_path=style.model_path,
        signature_key=f"signatures/{mia.id}/signature.png",
    )
    offer = await commit(world, lambda ports: ports.styles.offer(pending.id))
    assert (offer.is_active, offer.model_path) == (False, None)


async def new_style(world: World, artist: User, name: str = "Ink") -> Style:
    now = world.clock.now()
    style_id = await world.ids.style()
    return Style(
        id=style_id,
        artist_id=artist.id,
        name=name,
        description="",
        generation_cost_tokens=1,
        license_type=License.PERSONAL,
        tags=[],
        version_id=VersionId(style_id),
        created_at=now,
        updated_at=now,
    )


async def names(world: World, artist: User) -> list[str]:
    return sorted((await commit(world, lambda ports: ports.styles.portfolio(artist.id))).name_keys)
