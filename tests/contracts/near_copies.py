"""What the tests of near copies share."""

import msgspec

from core.accounts.model import User
from core.identifiers import VersionId
from core.styles.model import Style
from core.styles.version import Artwork, Review
from tests.contracts.overlap import commit
from tests.support.world import World


async def with_hashes(world: World, like: Style, *hashes: int | None, review: Review | None = None) -> Style:
    """Another style of the same artist, with artworks of these perceptual hashes."""
    name = f"{like.name} {await world.ids.artwork()}"
    style_id = await world.ids.style()
    version_id = VersionId(style_id)
    style = msgspec.structs.replace(like, id=style_id, name=name, version_id=version_id, model_path=None)
    version = msgspec.structs.replace(world.first_version(style), review=review)
    artworks = [
        Artwork(
            *(await world.ids.artwork(), version_id, index, f"x/{index}.png", "png", 512, 512, 1),
            *(bytes(32), None, [], None, one),
        )
        for index, one in enumerate(hashes)
    ]
    await commit(world, lambda ports: ports.styles.add(style, version, artworks))
    return style


async def style_in_review(world: World, copier: User, *, of: Style) -> Style:
    """A style with an artwork that resembles one of that style's artist."""
    await with_hashes(world, of, 0b1011)
    return await with_hashes(world, await world.untrained_style(copier, "Copied"), 0b0011, review=Review.PENDING)
