from dataclasses import dataclass
from datetime import datetime

from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.moderation.effect import Effect
from core.ports.discarded_objects import DiscardedObjects


@dataclass(frozen=True, slots=True)
class ImageHiding:
    """Hides images, in the open transaction: private, and not to be published. The public copy is discarded."""

    generations: Generations
    discarded: DiscardedObjects

    async def __call__(self, generation_id: GenerationId, *, at: datetime) -> Effect:
        """Raises GenerationNotFound."""
        image = await self.generations.of_id(generation_id, lock=True)
        await self.generations.save(image.hide(at=at))
        copies = [image.public_key] if image.public_key else []
        await self.discarded.add(*copies)
        return Effect(
            before={"hidden": image.hidden, "public": image.is_public},
            after={"hidden": True, "public": False},
            discarded=copies,
        )
