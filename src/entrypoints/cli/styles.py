import click

from core.identifiers import MAX_ID, StyleId
from core.requester import Requester, Role
from entrypoints.cli.acting import Result, Scope, acting, reason

style = click.argument("style_id", metavar="ID", type=click.IntRange(1, MAX_ID))


@click.group()
def styles() -> None:
    """Close styles for a time, withdraw them for good, and review near copies."""


@styles.command
@style
@reason
@acting
async def close(scope: Scope, style_id: int, reason: str) -> Result:
    """Close a style to new generations and keep its artist from opening it.

    It can be undone by `allow`. Requested generations are made and images stay: see `withdraw` for more.
    """
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


@styles.command
@style
@click.option("--hide-images", is_flag=True, help="Hide its published images too, with the samples and the thumbnail.")
@reason
@acting
async def withdraw(scope: Scope, style_id: int, hide_images: bool, reason: str) -> Result:
    """Withdraw a style for good, in the name of an admin (--as). The artist sees the reason.

    Queued generations are cancelled and refunded. It cannot be undone: see `close` for less.
    """
    from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle

    admin = Requester(scope.operator.admin, Role.ADMIN, is_artist=False)
    new = NewTakedown(reason, keep_images=not hide_images)
    await (await scope.get(WithdrawStyle))(admin, StyleId(style_id), new, operator=scope.operator)
    return Result({"id": style_id, "withdrawn": True}, f"Style {style_id} is withdrawn.")


@styles.command
@style
@acting
async def near_copies(scope: Scope, style_id: int) -> Result:
    """Show the artworks of a style that resemble another artist's, with URLs of both."""
    from core.styles.views import StylesReader

    reader: StylesReader = await scope.get(StylesReader)  # type: ignore[type-abstract]
    found = await reader.near_copies(StyleId(style_id))
    lines = [
        f"{pair.distance:2} of 64 bits  {pair.artwork.image_url}  style {pair.resembles.style_id} of"
        f" {pair.resembles.artist.username}  {pair.resembles.image_url}"
        for pair in found
    ]
    return Result(found, "\n".join(lines) or "None.")


@styles.command
@style
@reason
@acting
async def approve_training(scope: Scope, style_id: int, reason: str) -> Result:
    """Train a style that waits for review because of near copies."""
    from core.moderation.approve_training import ApproveTraining

    await (await scope.get(ApproveTraining))(scope.operator, StyleId(style_id), reason=reason)
    return Result({"id": style_id, "review": "approved"}, f"Style {style_id} will be trained.")


@styles.command
@style
@reason
@acting
async def reject_training(scope: Scope, style_id: int, reason: str) -> Result:
    """Fail a style that waits for review, and notify its artist. It cannot be trained."""
    from core.moderation.reject_training import RejectTraining

    await (await scope.get(RejectTraining))(scope.operator, StyleId(style_id), reason=reason)
    return Result({"id": style_id, "review": "rejected"}, f"Style {style_id} is rejected.")
