from datetime import datetime
from enum import Enum

import msgspec

from core.errors import Forbidden, ValidationError
from core.identifiers import StyleId, UserId, VersionId
from core.problems import Problem, not_after, wrong_token_amount
from core.styles.errors import (
    ImagesWithdrawn,
    StyleClosed,
    StyleNotFound,
    StyleNotReady,
    StyleWithdrawn,
    VersionNotReady,
)
from core.styles.version import Artwork, StyleVersion, TrainingStatus
from core.text import problem_of_free_text

MAX_NAME = 100
MAX_DESCRIPTION = 2000
MAX_PRICE = 10_000
"""Tokens per generation."""
MAX_TAGS = 50
"""Tags of the style itself."""


class License(Enum):
    PERSONAL = "personal"
    COMMERCIAL = "commercial"
    EXCLUSIVE = "exclusive"


class Takedown(msgspec.Struct, frozen=True):
    """How a style was withdrawn."""

    at: datetime
    reason: str
    by_admin: bool
    """Otherwise by its artist."""
    keeps_images: bool
    """Whether published images stay public."""
    pending: bool = True
    """Whether there may be queued generations to cancel, or published images to hide."""

    def finish(self) -> "Takedown":
        return msgspec.structs.replace(self, pending=False)


class Style(msgspec.Struct, frozen=True):
    id: StyleId
    artist_id: UserId
    name: str
    description: str
    generation_cost_tokens: int
    license_type: License
    tags: list[str]
    version_id: VersionId
    """The version in use; the first one, also before it is trained."""
    created_at: datetime
    updated_at: datetime
    version: int = 1
    """The number of the version in use."""
    model_path: str | None = None
    """The model of the version in use; None until the first one is trained."""
    is_active: bool = True
    show_samples: bool = True
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    closed_by_admin: bool = False
    """The artist cannot open it."""
    thumbnail_key: str | None = None
    """The key of the thumbnail that the artist uploaded; None if a sample is used."""
    takedown: Takedown | None = None

    @property
    def trained(self) -> bool:
        """Whether it has a model, and so is known to others."""
        return self.model_path is not None

    def check_owner(self, user_id: UserId) -> None:
        """Raises Forbidden, or StyleNotFound if others may not know that the style exists."""
        if user_id != self.artist_id:
            raise Forbidden if self.trained else StyleNotFound

    def check_not_withdrawn(self) -> None:
        """Raises StyleWithdrawn."""
        if self.takedown:
            raise StyleWithdrawn

    def use(self, version: StyleVersion, artworks: list[Artwork], *, at: datetime) -> "Style":
        """Returns the style with this version in use. Raises VersionNotReady."""
        if version.training_status is not TrainingStatus.COMPLETED:
            raise VersionNotReady
        return msgspec.structs.replace(
            self,
            version=version.number,
            version_id=version.id,
            model_path=version.model_path,
            tags=self.tags_with(artworks),
            updated_at=at,
        )

    def tags_with(self, artworks: list[Artwork]) -> list[str]:
        """Its tags and those of the artworks."""
        return list(dict.fromkeys([*self.tags, *(tag for artwork in artworks for tag in artwork.tags)]))

    def edit(
        self,
        *,
        at: datetime,
        description: str,
        generation_cost_tokens: int,
        license_type: License,
        valid_to: datetime | None,
        is_active: bool,
        show_samples: bool,
        thumbnail_key: str | None,
    ) -> "Style":
        self.check_not_withdrawn()
        if not self.trained:
            raise StyleNotReady
        if is_active and self.closed_by_admin:
            raise StyleClosed
        if problems := problems_of_terms(description, generation_cost_tokens, self.valid_from, valid_to):
            raise ValidationError(**problems)
        return msgspec.structs.replace(
            self,
            description=description,
            generation_cost_tokens=generation_cost_tokens,
            license_type=license_type,
            valid_to=valid_to,
            is_active=is_active,
            show_samples=show_samples,
            thumbnail_key=thumbnail_key,
            updated_at=at,
        )

    def withdraw(self, takedown: Takedown) -> "Style":
        """Closes the style for good.

        If it is withdrawn already, this only can withdraw its images too; otherwise nothing changes.
        """
        if self.takedown and (takedown.keeps_images or not self.takedown.keeps_images):
            return self
        at = takedown.at
        return msgspec.structs.replace(
            self,
            takedown=takedown,
            is_active=False,
            valid_to=at if self.valid_to is None else min(at, self.valid_to),
            show_samples=self.show_samples and takedown.keeps_images,
            thumbnail_key=self.thumbnail_key if takedown.keeps_images else None,
            updated_at=at,
        )

    def finish_takedown(self) -> "Style":
        return msgspec.structs.replace(self, takedown=self.takedown and self.takedown.finish())

    def check_publishable(self) -> None:
        """Raises ImagesWithdrawn."""
        if self.takedown and not self.takedown.keeps_images:
            raise ImagesWithdrawn

    def expired(self, *, at: datetime) -> bool:
        """Whether it is still active after the end of its validity."""
        return self.is_active and self.valid_to is not None and self.valid_to <= at

    def close_by_admin(self, *, at: datetime) -> "Style":
        return msgspec.structs.replace(self, is_active=False, closed_by_admin=True, updated_at=at)

    def allow(self, *, at: datetime) -> "Style":
        """Returns the style as its artist may open it again; it stays closed."""
        return msgspec.structs.replace(self, closed_by_admin=False, updated_at=at)

    def reopen(self, *, at: datetime) -> "Style":
        """Returns the style open, unless it was withdrawn or has expired."""
        expired = self.valid_to is not None and self.valid_to <= at
        return self if self.takedown or expired else msgspec.structs.replace(self, is_active=True, updated_at=at)

    def close(self, *, at: datetime) -> "Style":
        return msgspec.structs.replace(self, is_active=False, updated_at=at) if self.is_active else self


class Offer(msgspec.Struct, frozen=True):
    """What a generation request needs to know of the style."""

    style_id: StyleId
    artist_id: UserId
    generation_cost_tokens: int
    license_type: License
    is_active: bool
    valid_from: datetime | None
    valid_to: datetime | None
    version: int
    version_id: VersionId
    model_path: str | None
    signature_key: str

    def of(self, version: StyleVersion) -> "Offer":
        """Returns the offer with the model of this version."""
        return msgspec.structs.replace(
            self, version=version.number, version_id=version.id, model_path=version.model_path
        )

    def check_usable(self, requester: UserId, *, at: datetime) -> None:
        """Raises StyleNotReady, or StyleNotFound if others may not know that the style exists."""
        if self.model_path is None and requester != self.artist_id:
            raise StyleNotFound
        usable = (
            self.model_path is not None
            and self.is_active
            and (self.valid_from is None or self.valid_from <= at)
            and (self.valid_to is None or at < self.valid_to)
        )
        if not usable:
            raise StyleNotReady


def problems_of_terms(
    description: str, generation_cost_tokens: int, valid_from: datetime | None, valid_to: datetime | None
) -> dict[str, Problem]:
    """Problems with a style's terms, by field."""
    problems = {}
    if problem := problem_of_free_text(description, limit=MAX_DESCRIPTION):
        problems["description"] = problem
    if not 1 <= generation_cost_tokens <= MAX_PRICE:
        problems["generation_cost_tokens"] = wrong_token_amount(1, MAX_PRICE)
    if valid_from and valid_to and valid_to <= valid_from:
        problems["valid_to"] = not_after("valid_from")
    return problems
