from dataclasses import dataclass

from core.identifiers import StyleId, UserId
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.task_queue import TaskQueue
from core.ports.transaction import Transaction
from core.styles.errors import InsufficientImages
from core.styles.model import MIN_ARTWORKS
from core.styles.repository import Styles
from core.styles.views import CreatedStyle
from core.tasks.model import TrainingOrder, WebhookBase, training_task


@dataclass(frozen=True, slots=True)
class RetrainStyle:
    """Retry the failed training of one's own style with the same images."""

    styles: Styles
    queue: TaskQueue
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock
    webhooks: WebhookBase

    async def __call__(self, requester: UserId, style_id: StyleId) -> CreatedStyle:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            style = style.retrain(at=self.clock.now(), task_id=self.ids.task())
            artworks = await self.styles.artworks(style_id)
            if not artworks:
                raise InsufficientImages(required=MIN_ARTWORKS, received=0)
            await self.styles.save(style)
            await self.queue.put(
                training_task(
                    style.task_id,
                    TrainingOrder(style.id, [self.blobs.uri(artwork.key) for artwork in artworks], style.tags),
                    at=style.updated_at,
                    webhooks=self.webhooks,
                )
            )
        return CreatedStyle(style.id, style.name, style.training_status.value, len(artworks), style.created_at, None)
