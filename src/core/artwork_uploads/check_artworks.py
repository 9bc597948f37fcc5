import logging
from dataclasses import dataclass
from io import BytesIO

import msgspec

from core.artwork_uploads.errors import CheckTakenOver, UploadMissing
from core.artwork_uploads.finish_check import FinishCheck
from core.artwork_uploads.model import LEASE, ArtworkCheck, ArtworkUpload, Use
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.ports.blob_store import BlobNotFound, BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.images import Images
from core.ports.transaction import Transaction
from core.styles.artwork_files import artwork_of, blobs_of, inspected, kept_as, keys_of, sample_of
from core.styles.errors import DuplicateImage, ImageRefused
from core.styles.new_style import ArtworkText
from core.styles.repository import StyleVersions
from core.styles.version import Artwork
from core.uploads import Upload

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckArtworks:
    """Check the uploads of which versions of styles are made, one batch: of each file what really lies in the store.

    Each file that passes is stored where the training server reads it. After the last one the training is queued; at
    the first that is refused the version fails. Checks take turns. Safe to run concurrently; what a crashed process has
    begun is continued by the next call, LEASE later.
    """

    uploads: ArtworkUploads
    checks: ArtworkChecks
    versions: StyleVersions
    finish: FinishCheck
    blobs: BlobStore
    images: Images
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, *, limit: int = 20) -> int:
        """Check up to `limit` files of one version; return how many, 0 if there is nothing to check.

        Raises StoreUnavailable or ImagesUnavailable; the check goes on with a later call.
        """
        now = self.clock.now()
        async with self.transaction:
            check = await self.checks.claim(at=now, until=now + LEASE)
            uploads = await self.uploads.of_version(check.version_id) if check else []
            kept = await self.versions.artworks(check.kept_from) if check and check.kept_from else []
        if check is None:
            return 0
        try:
            return await self._advance(check, uploads, kept, limit)
        except CheckTakenOver:
            _log.info("check of artworks was taken over version=%s", check.version_id)
            return 1
        except BaseException:
            await self._release(check)
            raise

    async def _advance(self, check: ArtworkCheck, uploads: list[ArtworkUpload], kept: list[Artwork], limit: int) -> int:
        """Return how many files were checked, 1 at least."""
        again = await self._again(check, kept, after=len(uploads))
        passed = [upload.use.passed for upload in uploads if upload.use and upload.use.passed]
        waiting = [(upload, upload.use) for upload in uploads if upload.use and not upload.use.passed]
        try:
            for upload, use in waiting[:limit]:
                passed.append(await self._check(check, upload, use, [*passed, *again]))
                check = msgspec.structs.replace(check, passed=len(passed), updated_at=self.clock.now())
                await self._keep(check, upload, use, passed[-1])
            complete = len(passed) == len(uploads)
            if complete:
                await self._copy(kept, again)
        except ImageRefused as refusal:
            await self.finish.fail(check, uploads, refusal)
            return 1
        if complete:
            await self.finish.train(check, uploads, [*passed, *again])
        else:
            await self._release(check)
        return max(1, len(waiting[:limit]))

    async def _check(self, check: ArtworkCheck, upload: ArtworkUpload, use: Use, others: list[Artwork]) -> Artwork:
        """Check one file and store the artwork. Raises ImageRefused."""
        index, artist = use.index, check.artist_id
        try:
            content = await self.blobs.get(upload.key)
        except BlobNotFound:
            raise UploadMissing(index=index, file=upload.name) from None
        image = await inspected(self.images, index, Upload(upload.name, len(content), BytesIO(content)), user=artist)
        for other in others:
            if other.digest == image.digest:
                raise DuplicateImage(index=index, file=upload.name, same_as=other.index)
        sample = await sample_of(self.images, index, upload.name, image, user=artist)
        text = ArtworkText(use.caption, use.tags)
        artwork = artwork_of(await self.ids.artwork(), check.version_id, index, text, image)
        await self.blobs.put(*blobs_of(artwork, image, sample))
        return artwork

    async def _again(self, check: ArtworkCheck, kept: list[Artwork], *, after: int) -> list[Artwork]:
        """What the kept artworks are in this version."""
        return [
            kept_as(artwork, await self.ids.artwork(), check.version_id, index)
            for index, artwork in enumerate(kept, after)
        ]

    async def _copy(self, kept: list[Artwork], again: list[Artwork]) -> None:
        """Copy the objects: each version has its own, so that it can be trained and removed on its own.

        Raises UploadMissing if one is not there, as when the style was removed meanwhile.
        """
        for artwork, copy in zip(kept, again, strict=True):
            for source, target in zip(keys_of(artwork), keys_of(copy), strict=False):  # some are no sample any more
                try:
                    await self.blobs.copy(source, target)
                except BlobNotFound:
                    raise UploadMissing(index=copy.index, file=source.rpartition("/")[2]) from None

    async def _release(self, check: ArtworkCheck) -> None:
        """It is the others' turn, also after an error."""
        async with self.transaction:
            await self.checks.release(msgspec.structs.replace(check, updated_at=self.clock.now()))

    async def _keep(self, check: ArtworkCheck, upload: ArtworkUpload, use: Use, passed: Artwork) -> None:
        kept = msgspec.structs.replace(upload, use=msgspec.structs.replace(use, passed=passed))
        async with self.transaction:
            await self.checks.advance(check, until=check.updated_at + LEASE)
            await self.uploads.save([kept])
