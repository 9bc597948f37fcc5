from dataclasses import dataclass
from datetime import datetime

from core.audit.model import Action, AuditEntry, Operator
from core.audit.repository import AuditLog
from core.identifiers import UserId
from core.moderation.effect import Effect
from core.notifications.model import Notification, NotificationType
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.reports.errors import ReportResolved
from core.reports.model import Report, ReportStatus
from core.reports.repository import Reports

ACTIONS = {ReportStatus.UPHELD: Action.REPORT_UPHELD, ReportStatus.DISMISSED: Action.REPORT_DISMISSED}


@dataclass(frozen=True, slots=True)
class Resolution:
    """Ends the open reports of a target with one decision, in the open transaction. The target is locked."""

    reports: Reports
    notifier: Notifier
    audit: AuditLog
    ids: Ids

    async def open_beside(self, report: Report) -> list[Report]:
        """The report and all others that are open on its target, locked. Raises ReportResolved."""
        found = await self.reports.open_on(report.target)
        if report.id not in [one.id for one in found]:
            raise ReportResolved
        return found

    async def end(
        self,
        operator: Operator,
        found: list[Report],
        status: ReportStatus,
        effect: Effect,
        *,
        at: datetime,
        reason: str,
    ) -> None:
        """Also notifies the reporters and the owner; nobody learns who reported."""
        await self.reports.save(*(report.resolve(status, at=at, by=operator.admin_id) for report in found))
        for report in found:
            if report.reporter_id is not None:
                await self._notify(report.reporter_id, NotificationType.REPORT_RESOLVED, report, status, at=at)
        first = found[0]
        await self._notify(first.owner_id, NotificationType.CONTENT_REVIEWED, first, status, at=at)
        await self.audit.add(
            AuditEntry(
                operator,
                ACTIONS[status],
                first.target.type.value,
                str(first.target.id),
                at,
                before=effect.before,
                after={**effect.after, "reports": [report.id for report in found]},
                reason=reason,
            )
        )

    async def _notify(
        self, recipient: UserId, type: NotificationType, report: Report, status: ReportStatus, *, at: datetime
    ) -> None:
        await self.notifier.notify(
            Notification(
                id=await self.ids.notification(),
                recipient=recipient,
                type=type,
                reason=f"report:{report.id}:{type.value}",
                target_type=report.target.type.value,
                target_id=report.target.id,
                at=at,
                metadata={"outcome": status.value},
            )
        )
