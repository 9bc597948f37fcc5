from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import ReportId, UserId
from core.paging import Page, PageRequest
from core.reports.model import ReportStatus


class ReportView(msgspec.Struct, frozen=True):
    """A report as its reporter sees it."""

    id: ReportId
    target_type: str
    target_id: int
    reason: str
    text: str | None
    status: str
    created_at: datetime
    ended_at: datetime | None


class ReportToResolve(ReportView, frozen=True):
    """A report as admins see it."""

    reporter_id: UserId | None
    """None once the reporter's account is deleted."""
    owner_id: UserId
    """The owner of the target; of a user, the user."""
    owner: str
    """Their username."""
    hid: bool
    """Whether it hid the target automatically."""


class ReportsReader(Protocol):
    async def of_reporter(self, reporter_id: UserId, report_id: ReportId) -> ReportView:
        """Raises ReportNotFound, also for another user's."""
        ...

    async def list(self, *, status: ReportStatus | None, page: PageRequest) -> Page[ReportToResolve]:
        """Reports of all users, newest first."""
        ...
