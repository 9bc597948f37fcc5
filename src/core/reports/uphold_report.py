from dataclasses import dataclass

from core.audit.model import Operator, parse_reason
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.identifiers import ReportId
from core.moderation.effect import Effect
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.reports.model import ReportStatus
from core.reports.repository import Reports
from core.reports.resolution import Resolution
from core.reports.targets import Targets


@dataclass(frozen=True, slots=True)
class UpholdReport:
    """Agree with a report and the others on its target: hide the image, close the style, delete the comment or suspend
    the user. A target that is gone is left alone.
    """

    reports: Reports
    targets: Targets
    resolution: Resolution
    delete_discarded: DeleteDiscardedObjects
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, report_id: ReportId, *, reason: str) -> None:
        """Raises ReportNotFound, ReportResolved, OwnContentReported or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            report = await self.reports.of_id(report_id)
            report.check_resolvable(by=operator.admin_id)
            target = self.targets.of(report.target.type)
            exists = await target.lock(report.target.id)
            found = await self.resolution.open_beside(report)
            effect = await target.take_down(report.target.id) if exists else Effect()
            await self.resolution.end(operator, found, ReportStatus.UPHELD, effect, at=self.clock.now(), reason=reason)
        await self.delete_discarded.at_once(effect.discarded)
