from dataclasses import dataclass

import msgspec

from core.artwork_uploads.errors import CheckTakenOver
from core.artwork_uploads.model import ArtworkCheck, ArtworkUpload
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.begin_training import BeginTraining
from core.styles.delete_style import objects_of
from core.styles.errors import ImageRefused, StyleNotFound
from core.styles.fail_training import training_failed
from core.styles.model import Artwork, Style
from core.styles.repository import Styles
from core.tasks.outcome import Failure


@dataclass(frozen=True, slots=True)
class FinishCheck:
    """Finish the check of a style's artworks: begin the training, or fail the style. The uploads are removed.

    A style that has failed or was withdrawn meanwhile is not trained. Both raise CheckTakenOver.
    """

    uploads: ArtworkUploads
    checks: ArtworkChecks
    styles: Styles
    begin_training: BeginTraining
    notifier: Notifier
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def train(self, check: ArtworkCheck, uploads: list[ArtworkUpload], artworks: list[Artwork]) -> None:
        objects = [upload.key for upload in uploads]
        async with self.transaction:
            style = await self._ended(check, uploads)
            if style.training_status.ended or style.takedown:
                objects += objects_of(style, self.blobs)
            else:
                await self._begin_training(style, artworks)
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)

    async def fail(self, check: ArtworkCheck, uploads: list[ArtworkUpload], refusal: ImageRefused) -> None:
        """No object of the style is left."""
        async with self.transaction:
            style = await self._ended(check, uploads)
            objects = [*(upload.key for upload in uploads), *objects_of(style, self.blobs)]
            if not style.training_status.ended:
                failure = _failure(refusal)
                style = style.fail_training(at=self.clock.now(), failure=failure)
                await self.styles.save(style)
                await self.notifier.notify(training_failed(await self.ids.notification(), style, failure))
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)

    async def _ended(self, check: ArtworkCheck, uploads: list[ArtworkUpload]) -> Style:
        """The style, locked, once its check is ended and its uploads are removed."""
        try:
            style = await self.styles.of_id(check.style_id, lock=True)
        except StyleNotFound:
            raise CheckTakenOver from None
        await self.checks.end(check)
        await self.uploads.remove([upload.id for upload in uploads])
        return style

    async def _begin_training(self, style: Style, artworks: list[Artwork]) -> None:
        style = msgspec.structs.replace(style, updated_at=self.clock.now())
        style = await self.begin_training(style, artworks)
        await self.styles.add_artworks(artworks)
        await self.styles.save(style)


def _failure(refusal: ImageRefused) -> Failure:
    details = refusal.details or {}
    return Failure(refusal.code, f"The file {details['file']} was refused.", details)
