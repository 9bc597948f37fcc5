from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.ports.clock import Clock
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class UnhideImage:
    """Let the owner publish an image again; it stays private until then."""

    generations: Generations
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, generation_id: GenerationId, *, reason: str) -> None:
        """Raises GenerationNotFound or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            image = await self.generations.of_id(generation_id, lock=True)
            shown = image.unhide(at=self.clock.now())
            await self.generations.save(shown)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.IMAGE_UNHIDDEN,
                    "generation",
                    str(generation_id),
                    shown.updated_at,
                    before={"hidden": image.hidden},
                    after={"hidden": False},
                    reason=reason,
                )
            )
