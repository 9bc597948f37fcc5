from dataclasses import dataclass

from core.errors import ValidationError
from core.generations.model import RESULTS, Status
from core.generations.notification import end_notification
from core.generations.repository import Generations
from core.identifiers import GenerationId
from core.ports.blob_store import BlobStore, ForeignBlob
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.problems import FOREIGN_OBJECT, wrong_prefix
from core.tasks.outcome import Outcome
from core.tokens.model import PlatformFee


@dataclass(frozen=True, slots=True)
class CompleteGeneration:
    """Record the image of a generation, pay the artist and notify the owner, once.

    Accepted also while a new task waits or the server retries; the result of that task is then ignored. A completion
    after the generation has failed is only recorded: it is not paid, and the refund stays.
    """

    generations: Generations
    ledger: TokenLedger
    notifier: Notifier
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock
    fee: PlatformFee

    async def __call__(self, generation_id: GenerationId, *, result_url: str, metadata: dict[str, object]) -> Outcome:
        """Raises ValidationError if `result_url` is not an object below RESULTS in our bucket; GenerationNotFound,
        ResultTaken.
        """
        result_key = self._result_key(result_url)
        async with self.transaction:
            generation = await self.generations.lock_to_end(generation_id)
            if generation.status is Status.FAILED:
                late = generation.record_late_result(at=self.clock.now(), result_key=result_key, metadata=metadata)
                await self.generations.save(late)
            if generation.status.ended:
                return Outcome(applied=False, status=generation.status.value)
            generation = generation.complete(
                at=self.clock.now(),
                result_key=result_key,
                metadata=metadata,
                fee_tokens=self.fee.of(generation.consumed_tokens),
            )
            await self.generations.save(generation)
            await self.ledger.post(generation.hold_id, at=generation.updated_at, fee=generation.fee_tokens)
            await self.notifier.notify(end_notification(await self.ids.notification(), generation))
            return Outcome(applied=True, status=generation.status.value)

    def _result_key(self, url: str) -> str:
        try:
            key = self.blobs.key_of(url)
        except ForeignBlob as error:
            raise ValidationError(result_url=FOREIGN_OBJECT) from error
        if not key.startswith(RESULTS):
            raise ValidationError(result_url=wrong_prefix(RESULTS))
        return key
