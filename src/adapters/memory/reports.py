from datetime import datetime

from adapters.memory.accounts import kept
from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import ReportId, UserId
from core.paging import Keyset, Page, PageRequest
from core.reports.errors import AlreadyReported, ReportNotFound
from core.reports.model import Report, ReportStatus, Target
from core.reports.repository import Reports
from core.reports.views import ReportsReader, ReportToResolve, ReportView


class MemoryReports(Reports):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, report_id: ReportId) -> Report:
        report = self._transaction.tables.reports.get(report_id)
        if report is None:
            raise ReportNotFound
        return report

    async def open_on(self, target: Target) -> list[Report]:
        for report in _open(self._transaction.tables, target):
            await self._transaction.lock("report", report.id)
        return _open(self._transaction.tables, target)

    async def count_open(self, target: Target) -> int:
        return len(_open(self._transaction.tables, target))

    async def add(self, report: Report) -> None:
        def operation(tables: Tables) -> None:
            for user_id in (report.reporter_id, report.owner_id):
                if user_id is not None:
                    kept(tables, user_id)
            if any((one.reporter_id, one.target) == (report.reporter_id, report.target) for one in _all(tables)):
                raise AlreadyReported
            tables.reports[report.id] = report

        self._transaction.write(operation)

    async def save(self, *reports: Report) -> None:
        def operation(tables: Tables) -> None:
            for report in reports:
                tables.reports[report.id] = report

        self._transaction.write(operation)


def _all(tables: Tables) -> list[Report]:
    return list(tables.reports.values())


def _open(tables: Tables, target: Target) -> list[Report]:
    found = [report for report in _all(tables) if report.target == target and report.status is ReportStatus.OPEN]
    return sorted(found, key=lambda report: report.id)


class MemoryReportsReader(ReportsReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_reporter(self, reporter_id: UserId, report_id: ReportId) -> ReportView:
        report = self._reads.tables.reports.get(report_id)
        if report is None or report.reporter_id != reporter_id:
            raise ReportNotFound
        return ReportView(*report_columns(report))

    async def list(self, *, status: ReportStatus | None, page: PageRequest) -> Page[ReportToResolve]:
        tables = self._reads.tables
        rows = [row for row in tables.reports.values() if status in (None, row.status)]
        shown, following = page_of(rows, place=_place, page=page)
        return Page([_to_resolve(tables, row) for row in shown], following)


def report_columns(report: Report) -> tuple[ReportId, str, int, str, str | None, str, datetime, datetime | None]:
    """The fields of a ReportView."""
    return (
        report.id,
        report.target.type.value,
        report.target.id,
        report.reason.value,
        report.text,
        report.status.value,
        report.created_at,
        report.ended_at,
    )


def _place(report: Report) -> Keyset:
    return Keyset(0, report.created_at, report.id)


def _to_resolve(tables: Tables, report: Report) -> ReportToResolve:
    return ReportToResolve(
        *report_columns(report),
        reporter_id=report.reporter_id,
        owner_id=report.owner_id,
        owner=tables.users[report.owner_id].username,
        hid=report.shown_before is not None,
    )
