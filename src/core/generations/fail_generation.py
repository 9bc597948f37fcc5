from dataclasses import dataclass
from datetime import datetime

from core.generations.model import Consequence, Generation
from core.generations.notification import end_notification
from core.generations.repository import Generations
from core.generations.task import task_for
from core.identifiers import GenerationId
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
    """Handle a failed attempt by its code: put a new task, wait for the server's own retry, or fail and refund.

    Webhooks name no task. While a new task has been put but has not reported anything, a failure is taken for a
    repetition of the last one and changes nothing; if it was the new task's, the time-out will catch it. While the
    server retries by itself every failure counts as activity and restarts the grace period.
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
        inactive_since: datetime | None = None,
    ) -> Outcome:
        """With `inactive_since` the caller detected a time-out: it counts only if there was no activity after that."""
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if inactive_since is None:
                passed_over = generation.awaits_new_task
            else:
                passed_over = generation.last_activity_at > inactive_since
            if generation.status.ended or passed_over:
                return Outcome(applied=False, status=generation.status.value)
            match generation.consequence(failure, retry_count=retry_count):
                case Consequence.NEW_TASK:
                    generation = await self._put_new_task(generation, failure)
                case Consequence.SERVER_RETRIES:
                    generation = generation.retry_by_server(at=self.clock.now(), failure=failure)
                    await self.generations.save(generation)
                case Consequence.END:  # pragma: no branch - there are no others
                    generation = await self._refund(generation, failure)
            return Outcome(applied=True, status=generation.status.value)

    async def unresumed(self, generation_id: GenerationId, *, since: datetime) -> Outcome:
        """Fail a generation whose last report is a failed attempt at `since` or earlier."""
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            failed_at, failure = generation.attempt_failed_at, generation.failure
            if failed_at is None or failure is None or failed_at > since:
                return Outcome(applied=False, status=generation.status.value)
            generation = await self._refund(generation, failure)
            return Outcome(applied=True, status=generation.status.value)

    async def _put_new_task(self, generation: Generation, failure: Failure) -> Generation:
        now = self.clock.now()
        offer = await self.styles.offer(generation.style_id, version=generation.style_version)
        due = now + generation.retry_delay
        generation = generation.retry(at=now, due=due, failure=failure, task_id=self.ids.task())
        await self.generations.save(generation)
        task = task_for(
            generation, offer, at=now, signature=self.blobs.uri(offer.signature_key), webhooks=self.webhooks
        )
        await self.queue.put(task, due=due)
        return generation

    async def _refund(self, generation: Generation, failure: Failure) -> Generation:
        generation = generation.fail(at=self.clock.now(), failure=failure)
        await self.generations.save(generation)
        await self.ledger.void(generation.hold_id, at=generation.updated_at)
        await self.notifier.notify(end_notification(await self.ids.notification(), generation))
        return generation
