from dataclasses import dataclass
from typing import NewType

import msgspec

from core.ports.blob_store import BlobStore
from core.ports.task_queue import TaskQueue
from core.styles.model import Artwork, Review, Style
from core.styles.repository import Styles
from core.tasks.model import TrainingOrder, WebhookBase, training_task

ReviewNearCopies = NewType("ReviewNearCopies", bool)
"""Whether styles with near copies of another artist's artworks wait for an admin's review."""


@dataclass(frozen=True, slots=True)
class BeginTraining:
    """Queue the first training of a style, or hold the style for review. In the caller's transaction.

    Styles that are committed at the same moment are not compared with each other.
    """

    styles: Styles
    queue: TaskQueue
    blobs: BlobStore
    webhooks: WebhookBase
    review: ReviewNearCopies

    async def __call__(self, style: Style, artworks: list[Artwork]) -> Style:
        """Return the style as it is to be stored."""
        if self.review and await self._has_near_copies(style, artworks):
            return msgspec.structs.replace(style, review=Review.PENDING)
        await self.at_once(style, artworks)
        return style

    async def at_once(self, style: Style, artworks: list[Artwork]) -> None:
        """Queue it without looking for near copies."""
        keys = [artwork.key for artwork in artworks]
        order = TrainingOrder(style.id, [self.blobs.uri(key) for key in keys], style.tags)
        await self.queue.put(training_task(style.task_id, order, at=style.updated_at, webhooks=self.webhooks))

    async def _has_near_copies(self, style: Style, artworks: list[Artwork]) -> bool:
        hashes = [artwork.perceptual_hash for artwork in artworks if artwork.perceptual_hash is not None]
        return bool(hashes and await self.styles.near_copies(hashes, of_others_than=style.artist_id, limit=1))
