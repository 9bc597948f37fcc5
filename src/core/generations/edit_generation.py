from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from core.errors import ValidationError
from core.generations.errors import GenerationNotCompleted
from core.generations.model import MAX_DESCRIPTION, Generation
from core.generations.repository import Generations
from core.identifiers import GenerationId, UserId
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.ports.clock import Clock
from core.ports.secrets import Secrets
from core.ports.transaction import Transaction


class GenerationChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    is_public: bool | UnsetType = UNSET
    description: str | None | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class EditGeneration:
    """Publish, hide or describe one's own image.

    An image is published by a copy under a name that cannot be guessed, and hidden by deleting that copy first: what
    the database calls private is never readable.
    """

    generations: Generations
    blobs: BlobStore
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(self, requester: UserId, generation_id: GenerationId, changes: GenerationChanges) -> None:
        if isinstance(changes.description, str) and len(changes.description) > MAX_DESCRIPTION:
            raise ValidationError(description=f"At most {MAX_DESCRIPTION} characters.")
        async with self.transaction:
            generation = await self.generations.of_owner(requester, generation_id)
        public_key = await self._public_key(generation, changes)
        async with self.transaction:
            generation = await self.generations.of_owner(requester, generation_id, lock=True)
            await self.generations.save(
                generation.edited(
                    at=self.clock.now(),
                    description=generation.description if changes.description is UNSET else changes.description,
                    public_key=generation.public_key if changes.is_public is UNSET else public_key,
                )
            )

    async def _public_key(self, generation: Generation, changes: GenerationChanges) -> str | None:
        if changes.is_public is True and not generation.is_public:
            if generation.result_key is None:
                raise GenerationNotCompleted
            extension = generation.result_key.rpartition(".")[2]
            key = f"{PUBLIC_PREFIX}generations/{generation.id}/{self.secrets.token()[:16]}.{extension}"
            await self.blobs.copy(generation.result_key, key)
            return key
        if changes.is_public is False and generation.public_key is not None:
            await self.blobs.delete(generation.public_key)
            return None
        return generation.public_key
