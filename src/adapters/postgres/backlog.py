from datetime import datetime

from adapters.postgres.pool import Reads
from core.tasks.views import Backlog, BacklogReader

# Each is a scan of a partial index on unfinished rows.
BACKLOG = """
SELECT count(*) AS outbox, coalesce($1 - min(due), interval '0') AS outbox_age,
    (
        SELECT coalesce(jsonb_object_agg(status, waiting), '{}')
        FROM (SELECT status, count(*) AS waiting FROM generations WHERE ended_at IS NULL GROUP BY status) waiting
    ) AS generations,
    (
        SELECT coalesce(jsonb_object_agg(training_status, waiting), '{}')
        FROM (
            SELECT training_status, count(*) AS waiting FROM style_versions
            WHERE training_status IN ('pending', 'training') GROUP BY training_status
        ) waiting
    ) AS trainings
FROM outbox WHERE due <= $1
"""


class PostgresBacklogReader(BacklogReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def backlog(self, *, now: datetime) -> Backlog:
        [row] = await self._reads.fetch(BACKLOG, now)
        return Backlog(**row)
