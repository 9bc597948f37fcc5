from datetime import timedelta

from core.audit.model import Operator
from core.moderation.suspend_user import SuspendUser
from core.overview.views import Overview
from core.purchases.request_refund import RequestRefund
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.reports.dismiss_report import DismissReport
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.support.world import World


async def overview(world: World) -> Overview:
    now = world.clock.now()
    return await world.read.overview.overview(
        now=now, since=now - timedelta(hours=1), stalled_since=now - timedelta(hours=1)
    )


async def test_the_overview_of_an_empty_database_is_zero(world: World) -> None:
    assert await overview(world) == Overview(*(0 for _ in Overview.__struct_fields__))


async def test_the_overview_counts_pending_and_recent_items(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=1000)
    style = await world.style(mia)
    await world.earn(mia, 30, style)  # some time ago
    await world.untrained_style(mia, "Stalled")
    await world.image(ann, style)
    world.clock.advance(timedelta(hours=2))
    await world.untrained_style(mia, "Fresh")
    await world.image(ann, style)
    await world.failed_generation(ann, style)
    await world.generation(ann, style)
    await world.use_case(RequestWithdrawal)(mia.id, 30)
    started = await world.use_case(StartPurchase)(ann.id, "basic_100")
    await world.use_case(StartPurchase)(ann.id, "standard_500")
    key = world.payments.agree(started.order_id)
    await world.use_case(SettlePurchase)(started.order_id, payment_key=key, amount=10_000)
    await world.use_case(RequestRefund)(ann.id, (await world.buy(ann, 10)).order_id)
    await world.use_case(SuspendUser)(Operator(None), (await world.user("lou")).id, reason="Spam.")

    reported = [
        await world.use_case(SubmitReport)(ann.id, NewReport(TargetType.USER, who.id, ReportReason.SPAM))
        for who in (mia, await world.user("kim"))
    ]
    await world.use_case(DismissReport)(Operator(None), reported[0], reason="No spam.")

    assert await overview(world) == Overview(
        pending_withdrawals=1,
        pending_withdrawal_tokens=30,
        open_refunds=1,
        open_reports=1,
        due_tasks=0,
        unended_generations=1,
        open_trainings=2,
        stalled_trainings=1,
        styles_in_review=0,
        suspended_users=1,
        sales=2,
        sold_tokens=110,
        generations_requested=3,
        generations_completed=1,
        generations_failed=1,
    )
