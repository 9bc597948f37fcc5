from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from core.artwork_uploads.arrived_uploads import ArrivedUploads, UploadedArtwork, used
from core.artwork_uploads.model import ArtworkCheck
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.errors import ValidationError
from core.identifiers import StyleId, UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.problems import wrong_count
from core.styles.errors import VersionInTraining, VersionLimitReached, VersionNotReady
from core.styles.model import Style
from core.styles.new_style import check_number, check_rights, checked_texts, rights
from core.styles.repository import Styles, StyleVersions
from core.styles.version import MAX_ARTWORKS, MAX_VERSIONS, StyleVersion
from core.styles.views import CreatedVersion


class NewVersion(msgspec.Struct, frozen=True):
    rights_affirmed: bool | UnsetType = UNSET
    """Left out, the rights are affirmed as well."""
    keep_artworks: bool = True
    """Whether it is trained on the artworks of the version in use as well; they come after the new ones."""


@dataclass(frozen=True, slots=True)
class CreateVersion:
    """Create the next version of one's own style from uploads that have arrived. It is used when the artist chooses it.

    CheckArtworks checks the uploads and queues the training. A refusal leaves the uploads unused.
    """

    arrived: ArrivedUploads
    uploads: ArtworkUploads
    checks: ArtworkChecks
    styles: Styles
    versions: StyleVersions
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(
        self, requester: UserId, style_id: StyleId, new: NewVersion, artworks: list[UploadedArtwork]
    ) -> CreatedVersion:
        check_rights(new.rights_affirmed)
        if not 1 <= len(artworks) <= MAX_ARTWORKS:
            raise ValidationError(upload_ids=wrong_count(1, MAX_ARTWORKS))
        now, upload_ids = self.clock.now(), [artwork.upload_id for artwork in artworks]
        async with self.transaction:  # an early refusal; checked again under a lock at the end
            style = await self.styles.of_id(style_id)
            await self._check(requester, style, new, len(artworks))
            texts = checked_texts([artwork.text for artwork in artworks], name=style.name)
            announced = await self.arrived.announced(requester, upload_ids, at=now)
        await self.arrived.check(requester, announced)

        version_id, task_id = await self.ids.version(), self.ids.task()
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            latest = await self._check(requester, style, new, len(artworks))
            announced = await self.arrived.announced(requester, upload_ids, at=now, lock=True)
            affirmed = rights(new.rights_affirmed, at=now)
            version = StyleVersion(version_id, style_id, latest.number + 1, task_id, now, now, affirmed)
            await self.versions.add(version)
            await self.uploads.save(used(announced, version.id, texts))
            kept_from = style.version_id if new.keep_artworks else None
            await self.checks.start(
                ArtworkCheck(version.id, style_id, requester, len(announced), now, now, kept_from=kept_from)
            )
        return CreatedVersion(style_id, version.number, version.training_status.value, now)

    async def _check(self, requester: UserId, style: Style, new: NewVersion, artworks: int) -> StyleVersion:
        """Return the latest version, after which another one can be made with so many new artworks."""
        style.check_owner(requester)
        style.check_not_withdrawn()
        if not style.trained:
            raise VersionNotReady
        latest = await self.versions.latest(style.id)
        if not latest.training_status.ended:
            raise VersionInTraining
        if latest.number >= MAX_VERSIONS:
            raise VersionLimitReached(MAX_VERSIONS)
        kept = await self.versions.artworks(style.version_id) if new.keep_artworks else []
        check_number(len(kept) + artworks)
        return latest
