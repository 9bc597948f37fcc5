from dataclasses import dataclass

from core.generations.repository import Generations
from core.identifiers import GenerationId, UserId
from core.ports.clock import Clock
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction


@dataclass(frozen=True, slots=True)
class CancelGeneration:
    """Cancel one's own queued generation and void its hold."""

    generations: Generations
    ledger: TokenLedger
    transaction: Transaction
    clock: Clock

    async def __call__(self, requester: UserId, generation_id: GenerationId) -> None:
        async with self.transaction:
            generation = await self.generations.of_owner(requester, generation_id, lock=True)
            generation = generation.cancel(at=self.clock.now())
            await self.generations.save(generation)
            await self.ledger.void(generation.hold_id, at=generation.updated_at)
