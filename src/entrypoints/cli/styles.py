import click

from core.identifiers import MAX_ID, StyleId
from entrypoints.cli.acting import Result, Scope, acting, reason

style = click.argument("style_id", metavar="ID", type=click.IntRange(1, MAX_ID))


@click.group()
def styles() -> None:
    """Close styles."""


@styles.command
@style
@reason
@acting
async def close(scope: Scope, style_id: int, reason: str) -> Result:
    """Close a style to new generations and keep its artist from opening it."""
    from core.moderation.close_style import CloseStyle

    await (await scope.get(CloseStyle))(scope.operator, StyleId(style_id), reason=reason)
    return Result({"id": style_id, "closed_by_admin": True}, f"Style {style_id} is closed.")


@styles.command
@style
@reason
@acting
async def allow(scope: Scope, style_id: int, reason: str) -> Result:
    """Let the artist open a style again. It stays closed until then."""
    from core.moderation.allow_style import AllowStyle

    await (await scope.get(AllowStyle))(scope.operator, StyleId(style_id), reason=reason)
    return Result({"id": style_id, "closed_by_admin": False}, f"Style {style_id} can be opened.")
