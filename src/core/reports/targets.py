"""What can be reported, and what becomes of it; each method works in the open transaction unless it says otherwise."""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from core.accounts.repository import Users
from core.community.repository import Comments
from core.errors import NotFound
from core.generations.errors import GenerationChanged
from core.generations.model import Generation
from core.generations.publication import Publication
from core.generations.repository import Generations
from core.identifiers import CommentId, GenerationId, StyleId, UserId
from core.moderation.effect import Effect
from core.moderation.image_hiding import ImageHiding
from core.moderation.suspension import Suspension
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.reports.model import TargetType
from core.styles.errors import ImagesWithdrawn, StyleNotFound
from core.styles.repository import Styles


class Reportable(Protocol):
    async def lock(self, target_id: int) -> bool:
        """Return whether the target exists."""
        ...

    async def seen_by(self, viewer: UserId, target_id: int) -> UserId:
        """Lock the target and return whose it is. Raises NotFound if the viewer may not see it."""
        ...

    async def take_down(self, target_id: int) -> Effect:
        """What follows from a report that is upheld; the target is locked."""
        ...


class Hiding(msgspec.Struct, frozen=True):
    shown_before: bool
    discarded: list[str] = []
    """Keys of objects to delete after the commit."""


class Hidden(msgspec.Struct, frozen=True):
    """A target that reports have hidden."""

    shown_before: bool
    public_key: str | None = None
    """Of an image: the key of its new public copy."""


class Hideable(Protocol):
    """Targets that reports can hide until an admin decides; each is locked."""

    async def hide(self, target_id: int) -> Hiding | None:
        """None if it is hidden already."""
        ...

    async def show(self, target_id: int, hidden: Hidden) -> Effect:
        """Undo `hide`."""
        ...


@dataclass(frozen=True, slots=True)
class ReportedImages(Reportable, Hideable):
    """Images are made private."""

    generations: Generations
    styles: Styles
    hiding: ImageHiding
    publication: Publication
    transaction: Transaction
    clock: Clock

    async def lock(self, target_id: int) -> bool:
        return await self._found(target_id, lock=True) is not None

    async def seen_by(self, viewer: UserId, target_id: int) -> UserId:
        image = await self.generations.of_id(GenerationId(target_id), lock=True)
        image.check_visible_to(viewer)
        return image.owner_id

    async def hide(self, target_id: int) -> Hiding | None:
        """Others see public images only, so one that was just reported is public."""
        effect = await self.hiding(GenerationId(target_id), at=self.clock.now())
        return Hiding(shown_before=True, discarded=effect.discarded)

    async def copy_to_show(self, target_id: int) -> str | None:
        """The key of a new public copy of a hidden image; outside any transaction. None if it cannot be published.

        Raises ResultBroken or StoreUnavailable.
        """
        async with self.transaction:
            image = await self._found(target_id)
            if image is None or not image.hidden:
                return None
            try:
                await self.styles.check_publishable(image.style_id)
            except ImagesWithdrawn:
                return None
        return await self.publication(image)

    async def show(self, target_id: int, hidden: Hidden) -> Effect:
        """Raises GenerationChanged or ImagesWithdrawn if the copy is not to be published any more."""
        image = await self.generations.of_id(GenerationId(target_id), lock=True)
        if not image.hidden:
            if hidden.public_key is not None:
                raise GenerationChanged
            return Effect()
        now = self.clock.now()
        shown = image.unhide(at=now)
        if hidden.public_key is not None:
            await self.styles.check_publishable(image.style_id)
            shown = shown.edit(at=now, description=image.description, public_key=hidden.public_key)
        await self.generations.save(shown)
        return Effect(before={"hidden": True, "public": False}, after={"hidden": False, "public": shown.is_public})

    async def take_down(self, target_id: int) -> Effect:
        return await self.hiding(GenerationId(target_id), at=self.clock.now())

    async def _found(self, target_id: int, *, lock: bool = False) -> Generation | None:
        try:
            return await self.generations.of_id(GenerationId(target_id), lock=lock)
        except NotFound:
            return None


@dataclass(frozen=True, slots=True)
class ReportedStyles(Reportable, Hideable):
    """Styles are closed, and not to be opened by their artist."""

    styles: Styles
    users: Users
    clock: Clock

    async def lock(self, target_id: int) -> bool:
        try:
            await self.styles.of_id(StyleId(target_id), lock=True)
        except NotFound:
            return False
        return True

    async def seen_by(self, viewer: UserId, target_id: int) -> UserId:
        style = await self.styles.of_id(StyleId(target_id), lock=True)
        if not style.trained and viewer != style.artist_id:
            raise StyleNotFound
        return style.artist_id

    async def hide(self, target_id: int) -> Hiding | None:
        style = await self.styles.of_id(StyleId(target_id), lock=True)
        if style.closed_by_admin:
            return None
        await self.styles.save(style.close_by_admin(at=self.clock.now()))
        return Hiding(shown_before=style.is_active)

    async def show(self, target_id: int, hidden: Hidden) -> Effect:
        """A style that was withdrawn or has expired, or whose artist is not there, stays closed."""
        style = await self.styles.of_id(StyleId(target_id), lock=True)
        if not style.closed_by_admin:
            return Effect()
        shown = style.allow(at=self.clock.now())
        if hidden.shown_before and await self._present(style.artist_id):
            shown = shown.reopen(at=self.clock.now())
        await self.styles.save(shown)
        return Effect(
            before={"open": style.is_active, "closed_by_admin": True},
            after={"open": shown.is_active, "closed_by_admin": False},
        )

    async def take_down(self, target_id: int) -> Effect:
        style = await self.styles.of_id(StyleId(target_id), lock=True)
        await self.styles.save(style.close_by_admin(at=self.clock.now()))
        return Effect(
            before={"open": style.is_active, "closed_by_admin": style.closed_by_admin},
            after={"open": False, "closed_by_admin": True},
        )

    async def _present(self, user_id: UserId) -> bool:
        try:
            await self.users.of_id(user_id)
        except NotFound:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ReportedComments(Reportable, Hideable):
    """Comments are shown without their text, and in the end deleted."""

    comments: Comments
    generations: Generations

    async def lock(self, target_id: int) -> bool:
        """Locks the image first, as everybody does who changes its comments."""
        try:
            comment = await self.comments.of_id(CommentId(target_id))
            await self.generations.of_id(comment.generation_id, lock=True)
            await self.comments.of_id(CommentId(target_id), lock=True)
        except NotFound:
            return False
        return True

    async def seen_by(self, viewer: UserId, target_id: int) -> UserId:
        comment = await self.comments.of_id(CommentId(target_id), lock=True)
        comment.check_visible_to(viewer, await self.generations.of_id(comment.generation_id))
        return comment.author_id

    async def hide(self, target_id: int) -> Hiding | None:
        comment = await self.comments.of_id(CommentId(target_id), lock=True)
        if comment.hidden:
            return None
        await self.comments.save(msgspec.structs.replace(comment, hidden=True))
        return Hiding(shown_before=True)

    async def show(self, target_id: int, hidden: Hidden) -> Effect:
        comment = await self.comments.of_id(CommentId(target_id), lock=True)
        await self.comments.save(msgspec.structs.replace(comment, hidden=not hidden.shown_before))
        return Effect(before={"hidden": comment.hidden}, after={"hidden": not hidden.shown_before})

    async def take_down(self, target_id: int) -> Effect:
        comment = await self.comments.of_id(CommentId(target_id))
        await self.comments.remove(comment)
        return Effect(before={"author_id": comment.author_id, "generation_id": comment.generation_id})


@dataclass(frozen=True, slots=True)
class ReportedUsers(Reportable):
    """Users are suspended by an admin alone."""

    users: Users
    suspension: Suspension
    clock: Clock

    async def lock(self, target_id: int) -> bool:
        try:
            await self.users.of_id(UserId(target_id), lock=True)
        except NotFound:
            return False
        return True

    async def seen_by(self, viewer: UserId, target_id: int) -> UserId:  # noqa: ARG002 - everybody sees all users
        return (await self.users.of_id(UserId(target_id), lock=True)).id

    async def take_down(self, target_id: int) -> Effect:
        return await self.suspension(UserId(target_id), at=self.clock.now())


@dataclass(frozen=True, slots=True)
class Targets:
    images: ReportedImages
    styles: ReportedStyles
    comments: ReportedComments
    users: ReportedUsers

    def of(self, type: TargetType) -> Reportable:
        return self.users if type is TargetType.USER else self._hideable(type)

    def hideable(self, type: TargetType) -> Hideable | None:
        return None if type is TargetType.USER else self._hideable(type)

    def _hideable(self, type: TargetType) -> ReportedImages | ReportedStyles | ReportedComments:
        match type:
            case TargetType.GENERATION:
                return self.images
            case TargetType.STYLE:
                return self.styles
            case _:
                return self.comments
