from dataclasses import dataclass
from typing import NewType

from core.ports.blob_store import BlobStore
from core.ports.task_queue import TaskQueue
from core.styles.model import Style
from core.styles.repository import StyleVersions
from core.styles.version import Artwork, StyleVersion
from core.tasks.model import TrainingOrder, WebhookBase, training_task

ReviewNearCopies = NewType("ReviewNearCopies", bool)
"""Whether versions with near copies of another artist's artworks wait for an admin's review."""


@dataclass(frozen=True, slots=True)
class BeginTraining:
    """Queue the first training of a version, or hold the version for review. In the caller's transaction.

    Versions that are committed at the same moment are not compared with each other.
    """

    versions: StyleVersions
    queue: TaskQueue
    blobs: BlobStore
    webhooks: WebhookBase
    review: ReviewNearCopies

    async def __call__(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> StyleVersion:
        """Return the version as it is to be stored."""
        if self.review and await self._has_near_copies(style, artworks):
            return version.hold_for_review()
        await self.at_once(style, version, artworks)
        return version

    async def at_once(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> None:
        """Queue it without looking for near copies."""
        images = [self.blobs.uri(artwork.key) for artwork in artworks]
        order = TrainingOrder(version.id, images, style.tags_with(artworks))
        await self.queue.put(training_task(version.task_id, order, at=version.updated_at, webhooks=self.webhooks))

    async def _has_near_copies(self, style: Style, artworks: list[Artwork]) -> bool:
        hashes = [artwork.perceptual_hash for artwork in artworks if artwork.perceptual_hash is not None]
        return bool(hashes and await self.versions.near_copies(hashes, of_others_than=style.artist_id, limit=1))
