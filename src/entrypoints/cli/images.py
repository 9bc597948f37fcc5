import click

from core.identifiers import MAX_ID, GenerationId
from entrypoints.cli.acting import Result, Scope, acting, reason

image = click.argument("image_id", metavar="ID", type=click.IntRange(1, MAX_ID))


@click.group()
def images() -> None:
    """Hide generated images."""


@images.command
@image
@reason
@acting
async def hide(scope: Scope, image_id: int, reason: str) -> Result:
    """Make an image private and keep its owner from publishing it."""
    from core.moderation.hide_image import HideImage

    await (await scope.get(HideImage))(scope.operator, GenerationId(image_id), reason=reason)
    return Result({"id": image_id, "hidden": True}, f"Image {image_id} is hidden.")


@images.command
@image
@reason
@acting
async def unhide(scope: Scope, image_id: int, reason: str) -> Result:
    """Let the owner publish an image again. It stays private until then."""
    from core.moderation.unhide_image import UnhideImage

    await (await scope.get(UnhideImage))(scope.operator, GenerationId(image_id), reason=reason)
    return Result({"id": image_id, "hidden": False}, f"Image {image_id} can be published.")
