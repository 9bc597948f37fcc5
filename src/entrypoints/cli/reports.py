import click

from core.identifiers import MAX_ID, ReportId
from core.paging import MAX_LIMIT, PageRequest
from core.reports.model import ReportStatus
from core.reports.views import ReportsReader
from entrypoints.cli.acting import Result, Scope, acting, reason
from entrypoints.cli.output import table

UPHELD, DISMISSED = ReportStatus.UPHELD.value, ReportStatus.DISMISSED.value


@click.group()
def reports() -> None:
    """Decide on what users have reported."""


@reports.command("list")
@click.option("--status", type=click.Choice([status.value for status in ReportStatus]), default="open")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=MAX_LIMIT, show_default=True)
@acting
async def show_reports(scope: Scope, status: str, limit: int) -> Result:
    """List reports, newest first; by default those that are open."""
    reader = await scope.get(ReportsReader)  # type: ignore[type-abstract]
    page = await reader.list(status=ReportStatus(status), page=PageRequest(limit))
    columns = ("id", "target_type", "target_id", "owner", "reason", "hid", "created_at", "reporter_id", "text")
    return Result(page.rows, table(page.rows, *columns))


@reports.command
@click.argument("report_id", metavar="ID", type=click.IntRange(1, MAX_ID))
@click.option("--outcome", required=True, type=click.Choice([UPHELD, DISMISSED]), help="Whether the report is right.")
@reason
@acting
async def resolve(scope: Scope, report_id: int, outcome: str, reason: str) -> Result:
    """Decide on a report, and on all others that are open on the same target.

    Upheld: an image is hidden, a style closed, a comment deleted, a user suspended. Dismissed: what reports have hidden
    is shown again. The reporters and the owner are notified of the outcome.
    """
    from core.reports.dismiss_report import DismissReport
    from core.reports.uphold_report import UpholdReport

    if outcome == UPHELD:
        await (await scope.get(UpholdReport))(scope.operator, ReportId(report_id), reason=reason)
    else:
        await (await scope.get(DismissReport))(scope.operator, ReportId(report_id), reason=reason)
    return Result({"id": report_id, "status": outcome}, f"Report {report_id} is {outcome}.")
