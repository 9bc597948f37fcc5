from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from core.blobs.removed_on_failure import removed_on_failure
from core.derivatives import derivatives_of
from core.errors import ValidationError
from core.generations.errors import GenerationChanged
from core.generations.model import MAX_DESCRIPTION, Generation
from core.generations.publication import Publication
from core.generations.repository import Generations
from core.identifiers import GenerationId, UserId
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.repository import Styles
from core.text import parse_free_text, problem_of_free_text


class GenerationChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields that are left out stay as they are."""

    is_public: bool | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class EditGeneration:
    """Publish, hide or describe one's own image.

    Publishing makes copies without metadata, in all sizes, under an unguessable key; hiding deletes them before the
    commit, so that an image stored as private is never publicly readable.
    """

    generations: Generations
    styles: Styles
    blobs: BlobStore
    publication: Publication
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId, generation_id: GenerationId, changes: GenerationChanges) -> None:
        if isinstance(changes.description, str):
            parsed = parse_free_text(changes.description)
            if problem := problem_of_free_text(parsed, limit=MAX_DESCRIPTION):
                raise ValidationError(description=problem)
            changes = msgspec.structs.replace(changes, description=parsed)
        async with self.transaction:
            seen = await self.generations.of_owner(requester, generation_id)
        public_key = await self._published_as(seen, changes)
        copied = [public_key, *derivatives_of(public_key)] if public_key and public_key != seen.public_key else []
        async with removed_on_failure(self.blobs, self.transaction, *copied):
            generation = await self.generations.of_owner(requester, seen.id, lock=True)
            if generation.public_key != seen.public_key:
                raise GenerationChanged
            if copied:
                await self.styles.check_publishable(generation.style_id)
            description = generation.description if changes.description is UNSET else changes.description
            await self.generations.save(
                generation.edit(at=self.clock.now(), description=description, public_key=public_key)
            )

    async def _published_as(self, generation: Generation, changes: GenerationChanges) -> str | None:
        """The new public key, or None; the copy has been made or deleted by then."""
        if changes.is_public is True and not generation.is_public:
            return await self.publication(generation)
        if changes.is_public is False and generation.public_key is not None:
            await self.blobs.delete(generation.public_key, *derivatives_of(generation.public_key))
            return None
        return generation.public_key
