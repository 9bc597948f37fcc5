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
from core.styles.delete_style import objects_of_version
from core.styles.errors import ImageRefused, StyleNotFound
from core.styles.fail_training import training_failed
from core.styles.model import Style
from core.styles.repository import Styles, StyleVersions
from core.styles.version import Artwork, StyleVersion
from core.tasks.outcome import Failure


@dataclass(frozen=True, slots=True)
class FinishCheck:
    """Finish the check of a version's artworks: begin the training, or fail the version. The uploads are removed.

    A version that has failed, or whose style was withdrawn meanwhile, is not trained. Both raise CheckTakenOver.
    """

    uploads: ArtworkUploads
    checks: ArtworkChecks
    styles: Styles
    versions: StyleVersions
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
            style, version = await self._ended(check, uploads)
            if version.training_status.ended or style.takedown:
                objects += objects_of_version(version, self.blobs)
            else:
                await self._begin_training(style, version, artworks)
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)

    async def fail(self, check: ArtworkCheck, uploads: list[ArtworkUpload], refusal: ImageRefused) -> None:
        """No object of the version is left."""
        async with self.transaction:
            style, version = await self._ended(check, uploads)
            objects = [*(upload.key for upload in uploads), *objects_of_version(version, self.blobs)]
            if not version.training_status.ended:
                failure = _failure(refusal)
                version = version.fail_training(at=self.clock.now(), failure=failure)
                await self.versions.save(version)
                await self.notifier.notify(training_failed(await self.ids.notification(), style, version, failure))
            await self.discarded.add(*objects)
        await self.delete_discarded.at_once(objects)

    async def _ended(self, check: ArtworkCheck, uploads: list[ArtworkUpload]) -> tuple[Style, StyleVersion]:
        """Style and version, locked, once the check is ended and the uploads are removed."""
        try:
            version = await self.versions.of_id(check.version_id, lock=True)
        except StyleNotFound:
            raise CheckTakenOver from None
        await self.checks.end(check)
        await self.uploads.remove([upload.id for upload in uploads])
        return await self.styles.of_id(check.style_id, lock=True), version

    async def _begin_training(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> None:
        version = msgspec.structs.replace(version, updated_at=self.clock.now())
        version = await self.begin_training(style, version, artworks)
        await self.versions.add_artworks(version, artworks)
        await self.versions.save(version)


def _failure(refusal: ImageRefused) -> Failure:
    details = refusal.details or {}
    return Failure(refusal.code, f"The file {details['file']} was refused.", details)
