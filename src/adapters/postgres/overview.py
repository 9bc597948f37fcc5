from datetime import datetime

from adapters.postgres.pool import Reads
from core.overview.views import Overview, OverviewReader

OVERVIEW = """
SELECT *,
    (SELECT count(*) FROM purchases WHERE status = 'refunding') AS open_refunds,
    (SELECT count(*) FROM reports WHERE status = 'open') AS open_reports,
    (SELECT count(*) FROM outbox WHERE due <= $3) AS due_tasks,
    (SELECT count(*) FROM generations WHERE ended_at IS NULL) AS unended_generations,
    (SELECT count(*) FROM users WHERE standing = 'suspended') AS suspended_users,
    (SELECT count(*) FROM generations WHERE created_at >= $1) AS generations_requested
FROM
    (
        SELECT count(*) AS pending_withdrawals, coalesce(sum(amount), 0)::bigint AS pending_withdrawal_tokens
        FROM withdrawals WHERE status = 'pending'
    ) waiting,
    (
        SELECT count(*) AS open_trainings, count(*) FILTER (WHERE updated_at <= $2) AS stalled_trainings,
            count(*) FILTER (WHERE review = 'pending') AS styles_in_review
        FROM style_versions WHERE training_status IN ('pending', 'training')
    ) training,
    (
        SELECT count(*) AS sales, coalesce(sum(amount_tokens), 0)::bigint AS sold_tokens
        FROM purchases WHERE status IN ('paid', 'refunding') AND ended_at >= $1
    ) sold,
    (
        SELECT count(*) FILTER (WHERE status = 'completed') AS generations_completed,
            count(*) FILTER (WHERE status = 'failed') AS generations_failed
        FROM generations WHERE ended_at >= $1
    ) ended
"""


class PostgresOverviewReader(OverviewReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def overview(self, *, now: datetime, since: datetime, stalled_since: datetime) -> Overview:
        [row] = await self._reads.fetch(OVERVIEW, since, stalled_since, now)
        return Overview(**row)
