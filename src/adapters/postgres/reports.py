import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write, assignments, insert
from core.identifiers import ReportId, UserId
from core.paging import Page, PageRequest
from core.reports.errors import ReportNotFound
from core.reports.model import Report, ReportReason, ReportStatus, Target, TargetType
from core.reports.repository import Reports
from core.reports.views import ReportsReader, ReportToResolve, ReportView

COLUMNS = (
    "id",
    "reporter_id",
    "target_type",
    "target_id",
    "owner_id",
    "reason",
    "text",
    "created_at",
    "shown_before",
    "status",
    "ended_at",
    "ended_by",
)
REPORT = f"SELECT {', '.join(COLUMNS)} FROM reports"
OPEN = "target_type = $1 AND target_id = $2 AND status = 'open'"
COUNT_OPEN = f"SELECT count(*) FROM reports WHERE {OPEN}"
ADD = insert("reports", COLUMNS)
SAVE = Write(
    target="reports",
    columns="reports",
    ctes=f"""
        saved_report AS (
            UPDATE reports SET {assignments(("status", "ended_at", "ended_by"), "input")}
            FROM input_reports input WHERE reports.id = input.id
        )""",
)

VIEW = "id, target_type, target_id, reason, text, status, created_at, ended_at"
OF_REPORTER = f"SELECT {VIEW} FROM reports WHERE id = $1 AND reporter_id = $2"


def _list(status: ReportStatus | None, page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    narrowed = f"status = {arguments.add(status.value)} AND" if status else ""
    return f"""
    SELECT page.*, users.username AS owner
    FROM (
        SELECT {VIEW}, reporter_id, owner_id, shown_before IS NOT NULL AS hid
        FROM reports WHERE {narrowed} {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
    ) page
    JOIN users ON users.id = owner_id
    ORDER BY {keys.order("page")}
    """


class PostgresReports(Reports):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, report_id: ReportId) -> Report:
        row = await self._transaction.fetchrow(f"{REPORT} WHERE id = $1", report_id)
        if row is None:
            raise ReportNotFound
        return _report(row)

    async def open_on(self, target: Target) -> list[Report]:
        sql = f"{REPORT} WHERE {OPEN} ORDER BY id FOR NO KEY UPDATE"
        return [_report(row) for row in await self._transaction.fetch(sql, target.type.value, target.id, lock=True)]

    async def count_open(self, target: Target) -> int:
        [row] = await self._transaction.fetch(COUNT_OPEN, target.type.value, target.id)
        count: int = row["count"]
        return count

    async def add(self, report: Report) -> None:
        await self._transaction.write(ADD, _row(report))

    async def save(self, *reports: Report) -> None:
        await self._transaction.write(SAVE, *map(_row, reports))


class PostgresReportsReader(ReportsReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_reporter(self, reporter_id: UserId, report_id: ReportId) -> ReportView:
        row = await self._reads.fetchrow(OF_REPORTER, report_id, reporter_id)
        if row is None:
            raise ReportNotFound
        return ReportView(**row)

    async def list(self, *, status: ReportStatus | None, page: PageRequest) -> Page[ReportToResolve]:
        arguments = Arguments()
        sql = _list(status, page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([ReportToResolve(**row) for row in rows], following)


def _row(report: Report) -> dict[str, object]:
    row = msgspec.structs.asdict(report)
    target: Target = row.pop("target")
    return row | {"target_type": target.type, "target_id": target.id}


def _report(row: Record) -> Report:
    return Report(
        id=row["id"],
        reporter_id=row["reporter_id"],
        target=Target(TargetType(row["target_type"]), row["target_id"]),
        owner_id=row["owner_id"],
        reason=ReportReason(row["reason"]),
        text=row["text"],
        created_at=row["created_at"],
        shown_before=row["shown_before"],
        status=ReportStatus(row["status"]),
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )
