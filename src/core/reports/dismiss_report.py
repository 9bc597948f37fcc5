from dataclasses import dataclass

from core.audit.model import Operator, parse_reason
from core.blobs.removed_on_failure import removed_on_failure
from core.derivatives import derivatives_of
from core.identifiers import ReportId
from core.moderation.effect import Effect
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.reports.model import Report, ReportStatus, TargetType
from core.reports.repository import Reports
from core.reports.resolution import Resolution
from core.reports.targets import Hidden, Targets


@dataclass(frozen=True, slots=True)
class DismissReport:
    """Disagree with a report and the others on its target; if they have hidden it, it is shown again."""

    reports: Reports
    targets: Targets
    resolution: Resolution
    blobs: BlobStore
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, report_id: ReportId, *, reason: str) -> None:
        """Raises ReportNotFound, ReportResolved, OwnContentReported, GenerationChanged or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            report = await self.reports.of_id(report_id)
            report.check_resolvable(by=operator.admin_id)
            hid = any(one.shown_before is not None for one in await self.reports.open_on(report.target))
        public_key = None
        if hid and report.target.type is TargetType.GENERATION:
            public_key = await self.targets.images.copy_to_show(report.target.id)
        copied = [public_key, *derivatives_of(public_key)] if public_key else []
        async with removed_on_failure(self.blobs, self.transaction, *copied):
            exists = await self.targets.of(report.target.type).lock(report.target.id)
            found = await self.resolution.open_beside(report)
            effect = await self._show(found, public_key) if exists else Effect()
            await self.resolution.end(
                operator, found, ReportStatus.DISMISSED, effect, at=self.clock.now(), reason=reason
            )

    async def _show(self, found: list[Report], public_key: str | None) -> Effect:
        target = found[0].target
        hideable = self.targets.hideable(target.type)
        hid = [report.shown_before for report in found if report.shown_before is not None]
        if hideable is None or not hid:
            return Effect()
        return await hideable.show(target.id, Hidden(any(hid), public_key))
