import click
import msgspec

from core.identifiers import MAX_ID, WithdrawalId
from core.paging import MAX_LIMIT, PageRequest
from core.withdrawals.model import WithdrawalStatus
from core.withdrawals.views import WithdrawalsReader
from entrypoints.cli.acting import Result, Scope, acting, reason
from entrypoints.cli.output import table

withdrawal = click.argument("withdrawal_id", metavar="ID", type=click.IntRange(1, MAX_ID))


@click.group()
def withdrawals() -> None:
    """List, settle and reject withdrawals."""


@withdrawals.command("list")
@click.option("--status", type=click.Choice([status.value for status in WithdrawalStatus]), default="pending")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=MAX_LIMIT, show_default=True)
@acting
async def show_withdrawals(scope: Scope, status: str, limit: int) -> Result:
    """List withdrawals, newest first; by default those that are pending."""
    reader = await scope.get(WithdrawalsReader)  # type: ignore[type-abstract]
    page = await reader.list(status=WithdrawalStatus(status), page=PageRequest(limit))
    columns = ("id", "amount", "status", "created_at", "artist.id", "artist.username", "artist.verified_email")
    return Result(page.rows, table(page.rows, *columns))


@withdrawals.command
@withdrawal
@acting
async def sources(scope: Scope, withdrawal_id: int) -> Result:
    """Show where a withdrawal's tokens come from: who paid, when, and what was bonus or the artist's own."""
    reader = await scope.get(WithdrawalsReader)  # type: ignore[type-abstract]
    found = await reader.sources(WithdrawalId(withdrawal_id))
    figures = {name: value for name, value in msgspec.structs.asdict(found).items() if name != "largest_payers"}
    lines = [f"{name.replace('_', ' ')}: {'-' if value is None else value}" for name, value in figures.items()]
    payers = table(found.largest_payers, "id", "username", "tokens", "images")
    return Result(found, "\n".join([*lines, payers]))


@withdrawals.command
@withdrawal
@acting
async def settle(scope: Scope, withdrawal_id: int) -> Result:
    """Mark a withdrawal as paid, in the name of an admin (--as)."""
    from core.withdrawals.settle_withdrawal import SettleWithdrawal

    await (await scope.get(SettleWithdrawal))(scope.operator, WithdrawalId(withdrawal_id))
    return Result({"id": withdrawal_id, "status": "settled"}, f"Withdrawal {withdrawal_id} is settled.")


@withdrawals.command
@withdrawal
@reason
@acting
async def reject(scope: Scope, withdrawal_id: int, reason: str) -> Result:
    """Reject a withdrawal, in the name of an admin (--as). The artist sees the reason and gets the tokens back."""
    from core.withdrawals.reject_withdrawal import RejectWithdrawal

    await (await scope.get(RejectWithdrawal))(scope.operator, WithdrawalId(withdrawal_id), reason=reason)
    return Result({"id": withdrawal_id, "status": "rejected"}, f"Withdrawal {withdrawal_id} is rejected.")
