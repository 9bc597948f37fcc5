from dataclasses import dataclass

from core.accounts.errors import ArtistOnly
from core.artwork_uploads.errors import UploadUsed
from core.artwork_uploads.repository import ArtworkUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.identifiers import UploadId
from core.ports.discarded_objects import DiscardedObjects
from core.ports.transaction import Transaction
from core.requester import Requester


@dataclass(frozen=True, slots=True)
class DeleteUpload:
    """Delete one's own upload that nothing was made of, and its object.

    Its URL stays good until it expires: what is sent there later is purged as an orphan.
    """

    uploads: ArtworkUploads
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    transaction: Transaction

    async def __call__(self, requester: Requester, upload_id: UploadId) -> None:
        if not requester.is_artist:
            raise ArtistOnly
        async with self.transaction:
            upload = await self.uploads.of_artist(requester.id, upload_id)
            if upload.use:
                raise UploadUsed
            await self.discarded.add(upload.key)
            await self.uploads.remove([upload.id])
        await self.delete_discarded.at_once([upload.key])
