from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import StyleId, UserId, VersionId
from core.styles.model import Offer, Style
from core.styles.version import Artwork, NearCopy, StyleVersion, TrainingProgress
from core.tasks.outcome import Outcome


class Portfolio(msgspec.Struct, frozen=True):
    """Comparison keys of the names of all styles of an artist, closed ones included."""

    name_keys: list[str]


class Styles(Protocol):
    """Styles, in the open transaction."""

    async def of_id(self, style_id: StyleId, *, lock: bool = False) -> Style:
        """Raises StyleNotFound."""
        ...

    async def of_artist(self, artist_id: UserId, *, lock: bool = False) -> list[Style]:
        """All styles of an artist, by id."""
        ...

    async def lock_to_withdraw(self, style_id: StyleId) -> Style:
        """Locked also against generation requests and publications of images: those in progress are waited for, later
        ones wait for this transaction. Raises StyleNotFound.
        """
        ...

    async def check_publishable(self, style_id: StyleId) -> None:
        """The style's images can be published until this transaction ends. Raises ImagesWithdrawn or StyleNotFound."""
        ...

    async def portfolio(self, artist_id: UserId, *, lock: bool = False) -> Portfolio:
        """With `lock`, no other transaction that locks it can add a style of this artist until this one ends.

        With `lock`, raises UserNotFound for a deleted account.
        """
        ...

    async def offer(self, style_id: StyleId, *, version: int | None = None) -> Offer:
        """With the model of this version, by default of the one in use. Raises StyleNotFound or VersionNotFound."""
        ...

    async def add(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> None:
        """With its first version and its artworks. Raises DuplicateStyleName, which may surface at the commit."""
        ...

    async def save(self, style: Style) -> None:
        """Raises StyleNotFound, which may surface at the commit."""
        ...

    async def remove(self, style_id: StyleId) -> None:
        """Includes its versions and their artworks; serialized with concurrent generation requests.

        Raises StyleUsed if a generation was ever requested with it, or StyleNotFound; either may surface at the commit.
        """
        ...

    async def pending_takedowns(self, *, limit: int) -> list[StyleId]:
        """Up to `limit` withdrawn styles whose takedown is pending, in the order of their ids."""
        ...

    async def expired(self, *, at: datetime, limit: int) -> list[StyleId]:
        """Up to `limit` active styles whose `valid_to` is `at` or earlier, earliest first."""
        ...


class StyleVersions(Protocol):
    """Versions of styles with their artworks, in the open transaction.

    Only the latest version of a style can be in training. Locking a version locks its style before.
    """

    async def of_id(self, version_id: VersionId, *, lock: bool = False) -> StyleVersion:
        """Raises StyleNotFound."""
        ...

    async def of_number(self, style_id: StyleId, number: int) -> StyleVersion:
        """Raises VersionNotFound."""
        ...

    async def latest(self, style_id: StyleId, *, lock: bool = False) -> StyleVersion:
        """The one with the highest number. Raises StyleNotFound."""
        ...

    async def of_style(self, style_id: StyleId) -> list[StyleVersion]:
        """In the order of their numbers; empty for a missing style."""
        ...

    async def add(self, version: StyleVersion) -> None:
        """Raises VersionInTraining if another one of its style is in training, or StyleNotFound; either may surface at
        the commit.
        """
        ...

    async def save(self, version: StyleVersion) -> None:
        """Raises StyleNotFound or VersionInTraining, which may surface at the commit."""
        ...

    async def add_artworks(self, version: StyleVersion, artworks: list[Artwork]) -> None:
        """To a version that has none."""
        ...

    async def artworks(self, version_id: VersionId) -> list[Artwork]:
        """In the order of their index; empty for a missing version."""
        ...

    async def near_copies(self, hashes: list[int], *, of_others_than: UserId, limit: int) -> list[NearCopy]:
        """Up to `limit` artworks of other artists that are near any of the hashes, nearest first, then by id.

        Rejected versions are left out.
        """
        ...

    async def advance(self, version_id: VersionId, progress: TrainingProgress) -> Outcome:
        """Record progress: a pending or training version becomes `training`.

        A single write outside any transaction, durable when the call returns.

        Applied only if it moves forward: if the training has ended or the epoch is not greater than the stored one, no
        row is written. Raises StyleNotFound.
        """
        ...

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        """Restart the time-out at `at` where the last activity was at `inactive_since` or earlier and the task is not
        published yet. Rows locked by others are skipped.
        """
        ...

    async def stalled(self, *, since: datetime, limit: int) -> list[VersionId]:
        """Up to `limit` versions whose training has not ended, with last activity at `since` or earlier, oldest first.

        Not those that wait for review.
        """
        ...
