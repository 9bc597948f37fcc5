"""The commands of admins: each leaves exactly one line in the audit log; those that only show leave none."""

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from adapters.postgres.pool import create_pool
from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from core.moderation.suspend_user import SuspendUser
from core.paging import PageRequest
from core.purchases.check_purchase import CheckPurchase
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.withdrawals.request_withdrawal import RequestWithdrawal
from entrypoints.cli.commands import commands
from tests.contracts.near_copies import style_in_review
from tests.contracts.postgres_world import PostgresWorld
from tests.support.processes import NOWHERE, environment
from tests.support.world import World

Done = subprocess.CompletedProcess[str]


def run(command: str, **environ: str) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli", *shlex.split(command)],
        env=environment(**environ),
        cwd=NOWHERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ACTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "admins add": ("admins add ann", "admin.made", {"username": "ann", "role": "admin"}),
    "admins remove": ("admins remove boss@example.com", "admin.removed", {"username": "boss", "role": "user"}),
    "users suspend": ("users suspend ann --reason 'Spam and more'", "user.suspended", {"standing": "suspended"}),
    "users restore": ("users restore lou --reason Sorry", "user.restored", {"standing": "present"}),
    "users end-sessions": ("users end-sessions ann", "user.sessions_ended", {"sessions_ended": 0}),
    "images hide": ("images hide {image} --reason Stolen", "image.hidden", {"hidden": True}),
    "images unhide": ("images unhide {image} --reason Sorry", "image.unhidden", {"hidden": False}),
    "styles close": ("styles close {style} --reason Stolen", "style.closed", {"closed_by_admin": True}),
    "styles withdraw": (
        "styles withdraw {style} --hide-images --reason Stolen",
        "style.withdrawn",
        {"withdrawn": True},
    ),
    "styles allow": ("styles allow {style} --reason Sorry", "style.allowed", {"closed_by_admin": False}),
    "styles approve-training": (
        "styles approve-training {copying} --reason Licensed",
        "training.approved",
        {"review": "approved"},
    ),
    "styles reject-training": (
        "styles reject-training {copying} --reason Copied",
        "training.rejected",
        {"review": "rejected"},
    ),
    "tokens grant": ("tokens grant ann 50 --reason Sorry", "bonus.granted", {"granted": 50}),
    "tokens take": ("tokens take kim 5 --reason Mistake", "bonus.taken", {"taken": 5}),
    "tokens refund": ("tokens refund {order} --amount 5 --reason Sorry", "purchase.refunded", {"status": "refunding"}),
    "tokens forgive": ("tokens forgive deb --reason Sorry", "debt.forgiven", {"debt_tokens": 0}),
    "tokens export": ("tokens export --month 2026-01", "statement.exported", {}),
    "reports resolve": (
        "reports resolve {report} --outcome upheld --reason Spam",
        "report.upheld",
        {"status": "upheld"},
    ),
    "withdrawals settle": ("withdrawals settle {withdrawal}", "withdrawal.settled", {"status": "settled"}),
    "withdrawals reject": (
        "withdrawals reject {withdrawal} --reason No",
        "withdrawal.rejected",
        {"status": "rejected"},
    ),
}
"""By the name of the command: what is called, the action that is written down, and a part of the result."""
SHOWS = {
    "admins list": ("admins list", "boss"),
    "reports list": ("reports list", "spam"),
    "styles near-copies": ("styles near-copies {copying}", "mia"),
    "withdrawals list": ("withdrawals list", "mia@example.com"),
    "withdrawals sources": ("withdrawals sources {withdrawal}", "fan-"),
    "audit list": ("audit list", "user.suspended"),
}
"""What is called, and a word of the result."""
ELSEWHERE = {"tasks redrive"}
"""Leaves a line and needs a broker: see test_redrive.py."""
PROCESSES = {
    *("run", "relay", "migrate", "demo"),
    "cors",  # a setting of the bucket, as `migrate` is of the database
    *("maintenance", "reconcile"),  # scheduled jobs, without an admin
}
"""They run the service: no action of an admin, and no line."""


async def set_scene(world: World) -> dict[str, Any]:
    ann, boss, lou = await world.user("ann"), await world.user("boss"), await world.user("lou")
    await world.use_case(MakeAdmin)(Operator(None), boss.id)
    await world.use_case(SuspendUser)(Operator(None), lou.id, reason="Spam.")
    mia = await world.artist("mia")
    await world.earn(mia)
    await world.user("kim", tokens=50)
    debtor = await world.user("deb")
    purchase = await world.buy(debtor, 30)
    await world.image(debtor, await world.style(mia))
    world.payments.refund(purchase.order_id, left=0)
    await world.use_case(CheckPurchase)(purchase.order_id, payment_key=purchase.payment_key)
    order_id = (await world.buy(ann, 30)).order_id
    withdrawal = await world.use_case(RequestWithdrawal)(mia.id, 10)
    style = await world.style(mia, "Oil")
    image = await world.image(await world.user("zoe", tokens=30), style)
    report = await world.use_case(SubmitReport)(ann.id, NewReport(TargetType.STYLE, style.id, ReportReason.SPAM))
    copying = await style_in_review(world, await world.artist("max"), of=style)
    return {
        "copying": copying.id,
        "report": report,
        "style": style.id,
        "image": image.id,
        "ann": ann.id,
        "boss": boss.id,
        "withdrawal": withdrawal.id,
        "order": order_id,
    }


def named(group: click.Group, prefix: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        path = f"{prefix}{name}"
        found |= named(command, f"{path} ") if isinstance(command, click.Group) else {path}
    return found


def test_every_command_is_covered() -> None:
    """Whether it leaves a line is decided for each: see "The audit log" in docs/operations.md."""
    decided = [*ACTIONS, *SHOWS, *ELSEWHERE, *PROCESSES]
    assert sorted(named(commands)) == sorted(decided)


@pytest.mark.parametrize("name", ACTIONS)
async def test_an_action_leaves_one_audit_line(database_url: str, tmp_path: Path, name: str) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data"), "REFUND_DAYS": "365"}
    command, action, result = ACTIONS[name]
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        ids = await set_scene(world)
        before = (await world.read.audit.list(page=PageRequest())).rows

        done = await asyncio.to_thread(run, f"{command.format(**ids)} --as boss --json", **given)

        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout).items() >= result.items()
        [line, *older] = (await world.read.audit.list(page=PageRequest())).rows
        assert older == before
        assert (line.action, line.source, line.admin_id) == (action, "command", ids["boss"])
        assert line.account
        assert line.trace_id


@pytest.mark.parametrize("name", SHOWS)
async def test_a_read_leaves_no_audit_line(database_url: str, tmp_path: Path, name: str) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data"), "REFUND_DAYS": "365"}
    command, word = SHOWS[name]
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        ids = await set_scene(world)
        before = (await world.read.audit.list(page=PageRequest())).rows

        as_text = await asyncio.to_thread(run, command.format(**ids), **given)
        as_json = await asyncio.to_thread(run, f"{command.format(**ids)} --json", **given)

        assert (as_text.returncode, as_text.stderr) == (0, "")
        assert word in as_text.stdout
        assert json.loads(as_json.stdout)
        assert word in as_json.stdout
        assert (await world.read.audit.list(page=PageRequest())).rows == before


@pytest.mark.parametrize("command", ["maintenance", "reconcile"])
async def test_a_scheduled_job_leaves_no_audit_line(database_url: str, tmp_path: Path, command: str) -> None:
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        await set_scene(world)
        before = (await world.read.audit.list(page=PageRequest())).rows

        done = await asyncio.to_thread(run, command, DATABASE_URL=database_url, DATA_DIR=str(tmp_path / "data"))

        assert done.returncode == 0, done.stderr
        assert (await world.read.audit.list(page=PageRequest())).rows == before


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("users suspend nobody --reason Spam", "0 users have the id, username or e-mail address nobody."),
        ("users suspend ann --reason ' '", "reason: "),
        ("users suspend ann --reason Spam --as ann", "This user is not an admin."),
        ("users suspend boss --reason Spam --as boss", "Another admin has to do this to your account."),
        ("users restore ann --reason Sorry", "User not found."),
        ("reports resolve 999999 --outcome dismissed --reason Sorry", "Report not found."),
        ("admins remove ann", "This user is not an admin."),
        ("styles withdraw {style} --reason Stolen", "This command needs an admin's name (--as USER)."),
        ("tokens export --month 2026-13", "month: Expected a month: YYYY-MM."),
        ("withdrawals settle {withdrawal}", "This command needs an admin's name (--as USER)."),
        ("withdrawals settle 999999 --as boss", "Withdrawal not found."),
        ("tokens refund nothing --reason Sorry", "Purchase not found."),
        ("tokens refund --reason Sorry -- -nothing", "Purchase not found."),
        ("users suspend --reason Spam -- -nobody", "0 users have the id, username or e-mail address -nobody."),
        ("tokens refund {order} --amount 31 --reason Sorry", "tokens: "),
    ],
)
async def test_a_refusal_prints_one_line_and_leaves_no_audit_line(
    database_url: str, tmp_path: Path, command: str, refusal: str
) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data"), "REFUND_DAYS": "365"}
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        ids = await set_scene(world)
        before = (await world.read.audit.list(page=PageRequest())).rows

        done = await asyncio.to_thread(run, command.format(**ids), **given)

        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(refusal)
        assert (await world.read.audit.list(page=PageRequest())).rows == before
