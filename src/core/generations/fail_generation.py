from dataclasses import dataclass
from datetime import datetime, timedelta

from core.generations.model import Generation, Status
from core.generations.repository import Generations
from core.generations.task import task_for
from core.identifiers import GenerationId
from core.notifications.model import Notification, NotificationType
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.styles.repository import Styles
from core.tasks.model import WebhookBase
from core.tasks.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class FailGeneration:
    """An attempt has failed: send it again where that can help, else give the tokens back and say why.

    A failure told while the next attempt has shown no sign of life yet is the last one's again, as far as anybody can
    tell, so it is passed over; if it was not, the next attempt's silence will count.
    """

    generations: Generations
    styles: Styles
    ledger: TokenLedger
    queue: TaskQueue
    notifier: Notifier
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock
    webhooks: WebhookBase

    async def __call__(
        self,
        generation_id: GenerationId,
        failure: Failure,
        *,
        retry_count: int | None = None,
        silent_since: datetime | None = None,
    ) -> Outcome:
        """With `silent_since` the failure is ours to find, and counts unless the image was heard of after that."""
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if silent_since is None:
                passed_over = generation.status is Status.RETRYING
            else:
                passed_over = generation.heard_of_at > silent_since
            if generation.status.ended or passed_over:
                return Outcome(applied=False, status=generation.status.value)
            delay = generation.retry_delay(failure, retry_count=retry_count)
            if delay is None:
                generation = await self._give_up(generation, failure)
            else:
                generation = await self._try_again(generation, failure, delay)
            return Outcome(applied=True, status=generation.status.value)

    async def _try_again(self, generation: Generation, failure: Failure, delay: timedelta) -> Generation:
        now = self.clock.now()
        offer = await self.styles.offer(generation.style_id)
        due = now + delay
        generation = generation.retried(at=now, due=due, failure=failure, task_id=self.ids.task())
        await self.generations.save(generation)
        task = task_for(
            generation, offer, at=now, signature=self.blobs.uri(offer.signature_key), webhooks=self.webhooks
        )
        await self.queue.put(task, due=due)
        return generation

    async def _give_up(self, generation: Generation, failure: Failure) -> Generation:
        generation = generation.failed(at=self.clock.now(), failure=failure)
        await self.generations.save(generation)
        await self.ledger.void(generation.hold_id, at=generation.updated_at)
        await self.notifier.notify(
            Notification(
                id=await self.ids.notification(),
                recipient=generation.owner_id,
                type=NotificationType.GENERATION_FAILED,
                reason=f"generation:{generation.id}:ended",
                target_type="generation",
                target_id=generation.id,
                at=generation.updated_at,
                metadata={
                    "error_code": failure.code,
                    "error_message": failure.message,
                    "refunded_tokens": generation.consumed_tokens,
                },
            )
        )
        return generation
