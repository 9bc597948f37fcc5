from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class HideImage:
    """Make an image private and keep its owner from publishing it. The public copy is deleted after the commit."""

    generations: Generations
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, generation_id: GenerationId, *, reason: str) -> None:
        """Raises GenerationNotFound or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            image = await self.generations.of_id(generation_id, lock=True)
            hidden = image.hide(at=self.clock.now())
            await self.generations.save(hidden)
            copies = [image.public_key] if image.public_key else []
            await self.discarded.add(*copies)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.IMAGE_HIDDEN,
                    "generation",
                    str(generation_id),
                    hidden.updated_at,
                    before={"hidden": image.hidden, "public": image.is_public},
                    after={"hidden": True, "public": False},
                    reason=reason,
                )
            )
        await self.delete_discarded.at_once(copies)
