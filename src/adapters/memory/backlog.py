from collections import Counter
from datetime import datetime, timedelta

from adapters.memory.database import Reads
from core.styles.version import TrainingStatus
from core.tasks.views import Backlog, BacklogReader


class MemoryBacklogReader(BacklogReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def backlog(self, *, now: datetime) -> Backlog:
        tables = self._reads.tables
        due = [row.due for row in tables.outbox.values() if row.due <= now]
        in_training = (TrainingStatus.PENDING, TrainingStatus.TRAINING)
        return Backlog(
            outbox=len(due),
            outbox_age=now - min(due) if due else timedelta(),
            generations=Counter(row.status.value for row in tables.generations.values() if not row.status.ended),
            trainings=Counter(
                row.training_status.value
                for row in tables.style_versions.values()
                if row.training_status in in_training
            ),
        )
