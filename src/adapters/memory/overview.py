from datetime import datetime

from adapters.memory.database import Reads
from core.accounts.model import Standing
from core.generations.model import Status
from core.overview.views import Overview, OverviewReader
from core.purchases.model import PurchaseStatus
from core.reports.model import ReportStatus
from core.styles.version import Review
from core.withdrawals.model import WithdrawalStatus


class MemoryOverviewReader(OverviewReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def overview(self, *, now: datetime, since: datetime, stalled_since: datetime) -> Overview:
        tables = self._reads.tables
        waiting = [row.amount for row in tables.withdrawals.values() if row.status is WithdrawalStatus.PENDING]
        untrained = [row for row in tables.style_versions.values() if not row.training_status.ended]
        sold = [
            row.amount_tokens
            for row in tables.purchases.values()
            if row.status in (PurchaseStatus.PAID, PurchaseStatus.REFUNDING) and row.ended_at and row.ended_at >= since
        ]
        images = tables.generations.values()
        ended = [row.status for row in images if row.ended_at and row.ended_at >= since]
        return Overview(
            pending_withdrawals=len(waiting),
            pending_withdrawal_tokens=sum(waiting),
            open_refunds=sum(row.open_refund is not None for row in tables.purchases.values()),
            open_reports=sum(row.status is ReportStatus.OPEN for row in tables.reports.values()),
            due_tasks=sum(row.due <= now for row in tables.outbox.values()),
            unended_generations=sum(not row.status.ended for row in images),
            open_trainings=len(untrained),
            stalled_trainings=sum(row.updated_at <= stalled_since for row in untrained),
            styles_in_review=sum(row.review is Review.PENDING for row in untrained),
            suspended_users=sum(row.standing is Standing.SUSPENDED for row in tables.users.values()),
            sales=len(sold),
            sold_tokens=sum(sold),
            generations_requested=sum(row.created_at >= since for row in images),
            generations_completed=ended.count(Status.COMPLETED),
            generations_failed=ended.count(Status.FAILED),
        )
