import click

from core.audit.views import AuditReader
from core.paging import MAX_LIMIT, PageRequest
from entrypoints.cli.acting import Result, Scope, acting
from entrypoints.cli.output import table


@click.group()
def audit() -> None:
    """Read the audit log."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True)
@acting
async def show_lines(scope: Scope, limit: int) -> Result:
    """List the latest lines of the audit log, newest first."""
    page = await (await scope.get(AuditReader)).list(page=PageRequest(limit))  # type: ignore[type-abstract]
    columns = ("id", "created_at", "source", "admin_id", "account", "action", "target_type", "target_id", "reason")
    return Result(page.rows, table(page.rows, *columns))
