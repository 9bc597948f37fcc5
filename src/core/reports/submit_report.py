from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.identifiers import MAX_ID, ReportId, UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.reports.errors import SelfReportNotAllowed
from core.reports.model import Report, ReportReason, ReportsToHide, Target, TargetType, parse_text
from core.reports.repository import Reports
from core.reports.targets import Hiding, Targets


class NewReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target_type: TargetType
    target_id: Annotated[int, Meta(ge=1, le=MAX_ID)]
    reason: ReportReason
    text: str | None = None
    """At most 1,000 characters."""


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """Report an image, a style, a comment or a user to the admins, once.

    The report with which a target has as many open reports as are needed hides it until an admin decides. Users are
    never hidden.
    """

    reports: Reports
    targets: Targets
    delete_discarded: DeleteDiscardedObjects
    transaction: Transaction
    ids: Ids
    clock: Clock
    to_hide: ReportsToHide

    async def __call__(self, requester: UserId, new: NewReport, *, at_once: bool = True) -> ReportId:
        """Without `at_once`, a maintenance pass deletes the public copy of an image that is hidden: where the commit is
        deferred, it would be deleted before.

        Raises what is not found of the target, SelfReportNotAllowed, AlreadyReported or ValidationError.
        """
        text = parse_text(new.text)
        report_id = await self.ids.report()
        target = Target(new.target_type, new.target_id)
        async with self.transaction:
            owner_id = await self.targets.of(target.type).seen_by(requester, target.id)
            if owner_id == requester:
                raise SelfReportNotAllowed
            hiding = await self._hide(target)
            await self.reports.add(
                Report(
                    id=report_id,
                    reporter_id=requester,
                    target=target,
                    owner_id=owner_id,
                    reason=new.reason,
                    text=text,
                    created_at=self.clock.now(),
                    shown_before=hiding.shown_before if hiding else None,
                )
            )
        if hiding and at_once:
            await self.delete_discarded.at_once(hiding.discarded)
        return report_id

    async def _hide(self, target: Target) -> Hiding | None:
        hideable = self.targets.hideable(target.type)
        if not self.to_hide or hideable is None:
            return None
        if await self.reports.count_open(target) + 1 < self.to_hide:
            return None
        return await hideable.hide(target.id)
