"""What the tests of near copies share."""

from typing import Any

import msgspec

from core.accounts.model import User
from core.styles.model import Artwork, Review, Style
from tests.contracts.overlap import commit
from tests.support.world import World


async def with_hashes(world: World, like: Style, *hashes: int | None, **changes: Any) -> Style:
    """Another style of the same artist, with artworks of these perceptual hashes."""
    name = f"{like.name} {await world.ids.artwork()}"
    style = msgspec.structs.replace(like, id=await world.ids.style(), name=name, task_id=world.ids.task(), **changes)
    artworks = [
        Artwork(await world.ids.artwork(), style.id, index, f"x/{index}.png", "png", 512, 512, 1, None, [], None, one)
        for index, one in enumerate(hashes)
    ]
    await commit(world, lambda ports: ports.styles.add(style, artworks))
    return style


async def style_in_review(world: World, copier: User, *, of: Style) -> Style:
    """A style with an artwork that resembles one of that style's artist."""
    await with_hashes(world, of, 0b1011)
    return await with_hashes(world, await world.untrained_style(copier, "Copied"), 0b0011, review=Review.PENDING)
