from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.identifiers import GenerationId
from core.moderation.image_hiding import ImageHiding
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class HideImage:
    """Make an image private and keep its owner from publishing it. The public copy is deleted after the commit."""

    hiding: ImageHiding
    delete_discarded: DeleteDiscardedObjects
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, generation_id: GenerationId, *, reason: str) -> None:
        """Raises GenerationNotFound or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            now = self.clock.now()
            hidden = await self.hiding(generation_id, at=now)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.IMAGE_HIDDEN,
                    "generation",
                    str(generation_id),
                    now,
                    before=hidden.before,
                    after=hidden.after,
                    reason=reason,
                )
            )
        await self.delete_discarded.at_once(hidden.discarded)
