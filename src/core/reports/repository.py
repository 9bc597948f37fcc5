from typing import Protocol

from core.identifiers import ReportId
from core.reports.model import Report, Target


class Reports(Protocol):
    """Reports, in the open transaction."""

    async def of_id(self, report_id: ReportId) -> Report:
        """Raises ReportNotFound."""
        ...

    async def open_on(self, target: Target) -> list[Report]:
        """The target's open reports, locked, in the order of their ids."""
        ...

    async def count_open(self, target: Target) -> int:
        """How many open reports the target has. Exact until the transaction ends if the target is locked."""
        ...

    async def add(self, report: Report) -> None:
        """Raises AlreadyReported, or UserNotFound for an erased reporter or owner; either may surface at the commit."""
        ...

    async def save(self, *reports: Report) -> None:
        """The status and what belongs to it."""
        ...
