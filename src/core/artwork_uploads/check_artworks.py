import logging
from dataclasses import dataclass
from io import BytesIO

import msgspec

from core.artwork_uploads.errors import CheckTakenOver, UploadMissing
from core.artwork_uploads.finish_check import FinishCheck
from core.artwork_uploads.model import LEASE, ArtworkCheck, ArtworkUpload, Passed, Use
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.ports.blob_store import BlobNotFound, BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.images import Images
from core.ports.transaction import Transaction
from core.styles.artwork_files import artwork_of, blobs_of, inspected, sample_of
from core.styles.errors import DuplicateImage, ImageRefused
from core.styles.new_style import ArtworkText
from core.uploads import Upload

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckArtworks:
    """Check the uploads of which styles are made, one batch: of each file what really lies in the store.

    Each file that passes is stored where the training server reads it. After the last one the training is queued; at
    the first that is refused the style fails. Checks take turns. Safe to run concurrently; what a crashed process has
    begun is continued by the next call, LEASE later.
    """

    uploads: ArtworkUploads
    checks: ArtworkChecks
    finish: FinishCheck
    blobs: BlobStore
    images: Images
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, *, limit: int = 20) -> int:
        """Check up to `limit` files of one style; return how many, 0 if there is nothing to check.

        Raises StoreUnavailable or ImagesUnavailable; the check goes on with a later call.
        """
        now = self.clock.now()
        async with self.transaction:
            check = await self.checks.claim(at=now, until=now + LEASE)
            uploads = await self.uploads.of_style(check.style_id) if check else []
        if check is None:
            return 0
        try:
            return await self._advance(check, uploads, limit)
        except CheckTakenOver:
            _log.info("check of artworks was taken over style=%s", check.style_id)
            return 1
        except BaseException:
            await self._release(check)
            raise

    async def _advance(self, check: ArtworkCheck, uploads: list[ArtworkUpload], limit: int) -> int:
        """Return how many files were checked, 1 at least."""
        passed = [upload.use.passed for upload in uploads if upload.use and upload.use.passed]
        waiting = [(upload, upload.use) for upload in uploads if upload.use and not upload.use.passed]
        try:
            for upload, use in waiting[:limit]:
                passed.append(await self._check(check, upload, use, passed))
                check = msgspec.structs.replace(check, passed=len(passed), updated_at=self.clock.now())
                await self._keep(check, upload, use, passed[-1])
        except ImageRefused as refusal:
            await self.finish.fail(check, uploads, refusal)
            return 1
        if len(passed) == len(uploads):
            await self.finish.train(check, uploads, [each.artwork for each in passed])
        else:
            await self._release(check)
        return max(1, len(waiting[:limit]))

    async def _check(self, check: ArtworkCheck, upload: ArtworkUpload, use: Use, passed: list[Passed]) -> Passed:
        """Check one file and store the artwork. Raises ImageRefused."""
        index, artist = use.index, check.artist_id
        try:
            content = await self.blobs.get(upload.key)
        except BlobNotFound:
            raise UploadMissing(index=index, file=upload.name) from None
        image = await inspected(self.images, index, Upload(upload.name, len(content), BytesIO(content)), user=artist)
        for other in passed:
            if other.digest == image.digest:
                raise DuplicateImage(index=index, file=upload.name, same_as=other.artwork.index)
        sample = await sample_of(self.images, index, upload.name, image, user=artist)
        text = ArtworkText(use.caption, use.tags)
        artwork = artwork_of(await self.ids.artwork(), check.style_id, index, text, image)
        await self.blobs.put(*blobs_of(artwork, image, sample))
        return Passed(artwork, image.digest)

    async def _release(self, check: ArtworkCheck) -> None:
        """It is the others' turn, also after an error."""
        async with self.transaction:
            await self.checks.release(msgspec.structs.replace(check, updated_at=self.clock.now()))

    async def _keep(self, check: ArtworkCheck, upload: ArtworkUpload, use: Use, passed: Passed) -> None:
        kept = msgspec.structs.replace(upload, use=msgspec.structs.replace(use, passed=passed))
        async with self.transaction:
            await self.checks.advance(check, until=check.updated_at + LEASE)
            await self.uploads.save([kept])
