"""What admins hide or close, and its owner cannot bring back."""

from io import BytesIO
from typing import Any

import pytest

from core.accounts.model import User
from core.audit.model import Operator
from core.audit.views import AuditLine
from core.errors import ValidationError
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import GenerationHidden, GenerationNotFound
from core.generations.model import Generation
from core.generations.views import FeedQuery
from core.moderation.allow_style import AllowStyle
from core.moderation.close_style import CloseStyle
from core.moderation.hide_image import HideImage
from core.moderation.unhide_image import UnhideImage
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import StyleClosed, StyleNotFound
from core.styles.model import Style
from tests.support.derivatives import originals
from tests.support.pictures import picture
from tests.support.world import World


@pytest.fixture
async def eve(world: World) -> Operator:
    return Operator((await world.admin("eve")).id)


@pytest.fixture
async def style(world: World, mia: User) -> Style:
    return await world.style(mia)


async def published(world: World, owner: User, style: Style) -> Generation:
    """An image with its objects in the store."""
    image = await world.image(owner, style)
    assert image.result_key
    await world.blobs.put(Blob(image.result_key, BytesIO(picture()), "image/png"))
    await world.use_case(EditGeneration)(owner.id, image.id, GenerationChanges(is_public=True))
    return await stored(world, image)


async def stored(world: World, image: Generation) -> Generation:
    async with world.block() as ports:
        return await ports.generations.of_id(image.id)


async def stored_style(world: World, style: Style) -> Style:
    async with world.block() as ports:
        return await ports.styles.of_id(style.id)


async def last_line(world: World) -> AuditLine:
    return (await world.read.audit.list(page=PageRequest())).rows[0]


async def test_a_hidden_generation_stays_hidden(world: World, eve: Operator, style: Style) -> None:
    ann = await world.user("ann", tokens=30)
    image = await published(world, ann, style)
    assert originals(await world.blobs.keys("public/")) == [image.public_key]

    await world.use_case(HideImage)(eve, image.id, reason="Not hers.")

    assert (await world.read.generations.feed(FeedQuery(), viewer=None, page=PageRequest())).rows == []
    assert await world.blobs.keys("public/") == []
    with pytest.raises(GenerationHidden):
        await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True))
    assert not (await stored(world, image)).is_public
    line = await last_line(world)
    assert (line.action, line.target_type, line.target_id) == ("image.hidden", "generation", str(image.id))
    assert (line.before, line.after) == ({"hidden": False, "public": True}, {"hidden": True, "public": False})
    assert line.reason == "Not hers."


async def test_a_hidden_generation_can_be_described(world: World, eve: Operator, style: Style) -> None:
    ann = await world.user("ann", tokens=30)
    image = await world.image(ann, style)
    await world.use_case(HideImage)(eve, image.id, reason="Not hers.")

    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(description="Mine"))

    hidden = await stored(world, image)
    assert (hidden.description, hidden.hidden) == ("Mine", True)


async def test_an_unhidden_generation_can_be_published(world: World, eve: Operator, style: Style) -> None:
    ann = await world.user("ann", tokens=30)
    image = await published(world, ann, style)
    await world.use_case(HideImage)(eve, image.id, reason="Not hers.")
    world.clock.advance()

    await world.use_case(UnhideImage)(eve, image.id, reason="It was hers.")

    assert not (await stored(world, image)).is_public
    await world.use_case(EditGeneration)(ann.id, image.id, GenerationChanges(is_public=True))
    assert (await stored(world, image)).is_public
    line = await last_line(world)
    assert (line.action, line.before, line.after) == ("image.unhidden", {"hidden": True}, {"hidden": False})


async def test_an_artist_cannot_reopen_a_moderated_style(world: World, eve: Operator, mia: User, style: Style) -> None:
    await world.use_case(CloseStyle)(eve, style.id, reason="Stolen.")

    with pytest.raises(StyleClosed):
        await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=True))
    await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(description="Mine"))
    closed = await stored_style(world, style)
    assert (closed.is_active, closed.closed_by_admin, closed.description) == (False, True, "Mine")
    line = await last_line(world)
    assert (line.action, line.target_type, line.target_id) == ("style.closed", "style", str(style.id))
    assert line.before == {"open": True, "closed_by_admin": False}
    assert line.after == {"open": False, "closed_by_admin": True}


async def test_an_artist_can_reopen_an_allowed_style(world: World, eve: Operator, mia: User, style: Style) -> None:
    await world.use_case(CloseStyle)(eve, style.id, reason="Stolen.")
    world.clock.advance()

    await world.use_case(AllowStyle)(eve, style.id, reason="It was hers.")

    assert not (await stored_style(world, style)).is_active
    await world.use_case(EditStyle)(mia.id, style.id, StyleChanges(is_active=True))
    assert (await stored_style(world, style)).is_active
    line = await last_line(world)
    assert (line.action, line.before) == ("style.allowed", {"closed_by_admin": True})


@pytest.mark.parametrize("kind", [HideImage, UnhideImage])
async def test_moderating_an_unknown_generation_is_refused(world: World, eve: Operator, kind: type[Any]) -> None:
    with pytest.raises(GenerationNotFound):
        await world.use_case(kind)(eve, await world.ids.generation(), reason="Why not.")


@pytest.mark.parametrize("kind", [CloseStyle, AllowStyle])
async def test_moderating_an_unknown_style_is_refused(world: World, eve: Operator, kind: type[Any]) -> None:
    with pytest.raises(StyleNotFound):
        await world.use_case(kind)(eve, await world.ids.style(), reason="Why not.")


@pytest.mark.parametrize("kind", [HideImage, UnhideImage, CloseStyle, AllowStyle])
async def test_moderation_requires_a_reason(world: World, eve: Operator, style: Style, kind: type[Any]) -> None:
    with pytest.raises(ValidationError):
        await world.use_case(kind)(eve, style.id, reason=" ")
