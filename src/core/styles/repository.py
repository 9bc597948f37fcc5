from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import StyleId, UserId
from core.styles.model import Artwork, Offer, Style, TrainingProgress
from core.tasks.outcome import Outcome


class Portfolio(msgspec.Struct, frozen=True):
    """The comparison keys of the names of an artist's styles; a closed style counts."""

    name_keys: list[str]


class Styles(Protocol):
    """Styles with their artworks, in the open transaction."""

    async def of_id(self, style_id: StyleId, *, lock: bool = False) -> Style:
        """Raises StyleNotFound."""
        ...

    async def portfolio(self, artist_id: UserId, *, lock: bool = False) -> Portfolio:
        """With `lock`, no other transaction that locks it adds a style of this artist until this one ends.

        Raises UserNotFound then, for who has left.
        """
        ...

    async def offer(self, style_id: StyleId) -> Offer:
        """Raises StyleNotFound."""
        ...

    async def add(self, style: Style, artworks: list[Artwork]) -> None:
        """Raises DuplicateStyleName, which may surface at the commit."""
        ...

    async def save(self, style: Style) -> None:
        """Raises StyleNotFound, which may surface at the commit."""
        ...

    async def artworks(self, style_id: StyleId) -> list[Artwork]:
        """In the order of their index; none of a style that is not there."""
        ...

    async def remove(self, style_id: StyleId) -> None:
        """With its artworks. A request for an image that is under way at the same time comes before or after.

        Raises StyleUsed when an image was ever asked for with it, or StyleNotFound; either may surface at the commit.
        """
        ...

    async def advance(self, style_id: StyleId, progress: TrainingProgress) -> Outcome:
        """Take progress down: a pending or training style is `training` from now on.

        One write outside any transaction, kept when the call returns.

        Applied only if it moves forward: a style that has ended, or an epoch not beyond the one stored, is left as it
        is, and no row is written. Raises StyleNotFound.
        """
        ...

    async def put_off(self, *, silent_since: datetime, at: datetime) -> None:
        """Trainings that last moved at `silent_since` or earlier and whose task waits to be published have not begun:
        their time counts from `at`. Those that somebody else is changing are left for the next time."""
        ...

    async def silent(self, *, since: datetime, limit: int) -> list[StyleId]:
        """Up to `limit` whose training has not ended and last moved at `since` or earlier, the longest silent first."""
        ...
