"""An export holds one page in memory, however large it is."""

import pytest

from adapters.postgres.pool import Pool, Record
from core.accounts.model import Session
from core.accounts.sign_in import token_hash
from core.audit.model import Operator
from core.community.post_comment import NewComment, PostComment
from core.ports.database import DatabaseUsage
from core.purchases.start_purchase import StartPurchase
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_export import exported

MANY = 7


class Counting(Pool):
    """Records the largest number of rows that a statement returned."""

    most = 0

    async def fetch(self, sql: str, *args: object, usage: DatabaseUsage | None = None) -> list[Record]:
        rows = await super().fetch(sql, *args, usage=usage)
        self.most = max(self.most, len(rows))
        return rows


async def test_every_statement_reads_at_most_one_page(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more row shows whether there is another page."""
    monkeypatch.setattr("core.account_deletion.export_account.BATCH", 3)
    pool = Counting(database_url, max_size=4)
    world = PostgresWorld(pool)
    mia = await world.artist("mia", tokens=1000)
    now = world.clock.now()
    for number in range(MANY):
        fan = await world.user(f"fan-{number}", tokens=100)
        image = await world.image(mia, await world.style(mia, f"Style {number}"), public=True)
        await world.use_case(PostComment)(mia.id, image.id, NewComment("Mine"))
        await world.use_case(StartPurchase)(mia.id, "basic_100")
        await world.earn(mia)
        requested = await world.use_case(RequestWithdrawal)(mia.id, 1)
        await world.use_case(SettleWithdrawal)(Operator(fan.id), requested.id)
        await world.use_case(SubmitReport)(mia.id, NewReport(TargetType.USER, fan.id, ReportReason.SPAM))
        await world.like(mia, image)
        await world.follow(mia, fan)
        await world.follow(fan, mia)
        async with world.block() as ports:
            await ports.sessions.add(
                Session.start(
                    await world.ids.session(), token_hash(str(number)), mia.id, at=now, user_agent="a browser"
                )
            )
    await pool.notifier.wait_until_sent()  # of the changes, in statements that are none of the export's
    pool.most = 0

    export = await exported(world, mia)
    await pool.close()

    lists = {name: rows for name, rows in export.items() if isinstance(rows, list)}
    assert {name for name, rows in lists.items() if len(rows) < MANY} == set()
    assert 0 < pool.most <= 3 + 1
