"""Actors other than users: relays, maintenance passes and the AI servers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import msgspec

from core.account_deletion.erase_accounts import EraseAccounts
from core.artwork_uploads.check_artworks import CheckArtworks
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.generations.complete_generation import CompleteGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.fail_unresumed_generations import FailUnresumedGenerations
from core.generations.record_progress import RecordProgress
from core.generations.time_out_generations import TimeOutGenerations
from core.identifiers import VersionId
from core.ports.blob_store import Blob
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.expire_purchases import ExpirePurchases
from core.styles.complete_training import CompleteTraining
from core.styles.errors import StyleNotFound
from core.styles.fail_training import FailTraining
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.time_out_trainings import TimeOutTrainings
from core.takedowns.carry_out_takedowns import CarryOutTakedowns
from core.tasks.model import QUEUES, GenerationTask, Queue, TrainingTask
from core.tasks.outcome import Failure
from core.tasks.publish_tasks import PublishTasks
from tests.simulation.stage import Stage

POLL = 6.0
MAINTENANCE_INTERVAL = 30.0
LOST, DOUBLED, LATE = 0.05, 0.1, 0.1
SILENT = 0.05
LATEST = 600
"""Seconds."""
REPORTS = (10, 30, 20, 50)
"""Reported steps: out of order."""
CODES = ("GPU_OOM", "TIMEOUT", "GENERATION_ERROR")
ATTEMPT_FAILED = ("INFERENCE_ERROR", "UNKNOWN")
ATTEMPTS = 3
"""How often the inference server tries one task; after the last one it reports a final failure."""
TRAININGS = 3
"""How often the training server tries one task: it is put back until the queue's delivery limit."""


@dataclass(frozen=True, slots=True)
class Machine(ABC):
    """Runs until it is switched off."""

    stage: Stage

    @abstractmethod
    async def run(self) -> None: ...


class Relay(Machine):
    async def run(self) -> None:
        while True:
            going = [await self._publish(queue) for queue in QUEUES]
            if not any(going):
                await self.stage.pause(POLL)

    async def _publish(self, queue: Queue) -> bool:
        """Whether there may be more."""
        published = await self.stage.call(PublishTasks, queue, limit=self.stage.random.randrange(1, 10))
        claimed, confirmed = published or (0, 0)
        return claimed > 0 and confirmed == claimed


class MaintenancePasses(Machine):
    async def run(self) -> None:
        while True:
            await self.stage.pause(MAINTENANCE_INTERVAL)
            await self.stage.call(ExpirePurchases, limit=5)
            await self.stage.call(CarryOutRefunds, limit=5)
            await self.stage.call(TimeOutGenerations, limit=5)
            await self.stage.call(FailUnresumedGenerations, limit=5)
            await self.stage.call(TimeOutTrainings, limit=5)
            await self.stage.call(CheckArtworks, limit=20)
            await self.stage.call(CarryOutTakedowns, limit=5)
            await self.stage.call(EraseAccounts, limit=5)
            await self.stage.call(DeleteDiscardedObjects, limit=20)


class TrainingServer(Machine):
    async def run(self) -> None:
        await self.stage.broker.consume("model_training", self._work)

    async def _work(self, body: bytes) -> None:
        version_id = msgspec.json.decode(body, type=TrainingTask).data.style_id
        for _ in range(TRAININGS):
            if await self._trained(version_id):
                return

    async def _trained(self, version_id: VersionId) -> bool:
        """One attempt; False when the task is put back."""
        stage = self.stage
        for epoch in REPORTS[: stage.random.randrange(3)]:
            if stage.faults.strike(SILENT):
                return True
            self._tell(RecordTrainingProgress, version_id, **progress("epoch", epoch))
            await stage.pause(stage.random.random() * 20)
        if stage.random.random() < 0.25:
            self._tell(FailTraining, version_id, Failure("TRAINING_FAILED", "No."))
            return False
        self._tell(CompleteTraining, version_id, model_path=f"gs://models/{version_id}", metric=None)
        return True

    def _tell(self, kind: type[Any], *args: object, **kwargs: Any) -> None:
        report(self.stage, "training webhook", kind, *args, refusals=(StyleNotFound,), **kwargs)


class InferenceServer(Machine):
    async def run(self) -> None:
        await self.stage.broker.consume("image_generation", self._work)

    async def _work(self, body: bytes) -> None:
        task = msgspec.json.decode(body, type=GenerationTask)
        await self.stage.pause(self.stage.random.random() * 10)
        for attempt in range(1, ATTEMPTS + 1):
            if await self._made(task):
                return
            if attempt < ATTEMPTS:
                await self.stage.pause(attempt)
        self._tell(FailGeneration, task.data.generation_id, Failure("GENERATION_ERROR", "No."))

    async def _made(self, task: GenerationTask) -> bool:
        """One attempt; False when the server tries again by itself."""
        stage, generation_id = self.stage, task.data.generation_id
        for step in REPORTS[: stage.random.randrange(4)]:
            if stage.faults.strike(SILENT):
                return True
            self._tell(RecordProgress, generation_id, **progress("step", step))
            await stage.pause(stage.random.random() * 5)
        fate = stage.random.random()
        if fate < 0.25:
            self._tell(FailGeneration, generation_id, Failure(stage.random.choice(ATTEMPT_FAILED), "No."))
            return False
        if fate < 0.5:
            failure = Failure(stage.random.choice(CODES), "No.")
            self._tell(FailGeneration, generation_id, failure, retry_count=stage.random.choice([None, 0, 3]))
        else:
            key = f"generations/{generation_id}/{task.task_id}.png"
            await stage.world.blobs.put(Blob(key, BytesIO(b"an image"), "image/png"))
            self._tell(CompleteGeneration, generation_id, result_url=stage.world.blobs.uri(key), metadata={})
        return True

    def _tell(self, kind: type[Any], *args: object, **kwargs: Any) -> None:
        report(self.stage, "inference webhook", kind, *args, **kwargs)


def report(stage: Stage, name: str, kind: type[Any], *args: object, **kwargs: Any) -> None:
    """Send a webhook, which may get lost, be repeated, or arrive after the end."""

    async def call() -> None:
        if stage.faults.strike(LATE):
            await stage.pause(stage.random.randrange(LATEST))
        await stage.call(kind, *args, **kwargs)

    copies = 0 if stage.faults.strike(LOST) else 2 if stage.faults.strike(DOUBLED) else 1
    for _ in range(copies):
        stage.begin(name, call)


def progress(unit: str, done: int) -> dict[str, Any]:
    return {
        f"current_{unit}": done,
        f"total_{unit}s": 50,
        "progress_percent": 2.0 * done,
        "estimated_seconds": None,
    }
