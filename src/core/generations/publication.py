from dataclasses import dataclass
from io import BytesIO

from core.blobs.removed_on_failure import put_all
from core.derivatives import PublicCopy, public_copy
from core.generations.errors import GenerationNotCompleted, ResultBroken
from core.generations.model import Generation
from core.identifiers import UserId
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.ports.images import Images, NotAnImage
from core.ports.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Publication:
    """Makes copies of an image without metadata, in all sizes, under an unguessable public key.

    No transaction is open.
    """

    blobs: BlobStore
    images: Images
    secrets: Secrets

    async def __call__(self, generation: Generation) -> str:
        """Return the key of the copy in full size. Raises GenerationNotCompleted, ResultBroken or StoreUnavailable."""
        if generation.result_key is None:
            raise GenerationNotCompleted
        copy = await self._copy(generation.owner_id, generation.result_key)
        key = f"{PUBLIC_PREFIX}generations/{generation.id}/{self.secrets.token()[:16]}.{copy.image.extension}"
        await put_all(self.blobs, *copy.stored_as(key))
        return key

    async def _copy(self, owner: UserId, result_key: str) -> PublicCopy:
        content = BytesIO(await self.blobs.get(result_key))
        try:
            await self.images.inspect(content, user=owner)
            return await public_copy(self.images, content, user=owner)
        except NotAnImage:
            raise ResultBroken from None
