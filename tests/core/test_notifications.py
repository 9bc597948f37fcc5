from datetime import timedelta

import pytest

from core.audit.model import Operator
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import NewComment, PostComment
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.fail_generation import FailGeneration
from core.identifiers import UserId
from core.notifications.errors import NotificationNotFound
from core.notifications.mark_all_read import MarkAllRead
from core.notifications.mark_read import MarkRead
from core.notifications.model import KEPT_READ, Notification, NotificationType
from core.notifications.purge_read_notifications import PurgeReadNotifications
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.request_refund import RequestRefund
from core.reports.dismiss_report import DismissReport
from core.reports.model import ReportReason, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.requester import Requester, Role
from core.styles.complete_training import CompleteTraining
from core.styles.fail_training import FailTraining
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import Failure
from tests.support.memory_world import MemoryWorld


async def test_a_notification_keeps_its_first_read_time(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    notification = await notified(world, ann.id, "1")
    first = world.clock.advance()
    await world.use_case(MarkRead)(ann.id, notification.id)
    world.clock.advance()
    await world.use_case(MarkRead)(ann.id, notification.id)

    assert world.database.tables.notifications[notification.id].read_at == first


async def test_another_users_notification_is_not_found(world: MemoryWorld) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    notification = await notified(world, ann.id, "1")

    with pytest.raises(NotificationNotFound):
        await world.use_case(MarkRead)(bob.id, notification.id)

    assert world.database.tables.notifications[notification.id].read_at is None


async def test_all_are_marked_read_and_counted(world: MemoryWorld) -> None:
    ann, bob = await world.user("ann"), await world.user("bob")
    first = await notified(world, ann.id, "1")
    second = await notified(world, ann.id, "2")
    others = await notified(world, bob.id, "1")
    await world.use_case(MarkRead)(ann.id, first.id)
    then = world.clock.now()
    now = world.clock.advance()

    assert await world.use_case(MarkAllRead)(ann.id) == 1
    assert await world.use_case(MarkAllRead)(ann.id) == 0

    kept = world.database.tables.notifications
    assert [kept[one.id].read_at for one in (first, second, others)] == [then, now, None]


async def notified(world: MemoryWorld, recipient: UserId, reason: str) -> Notification:
    notification = Notification(
        await world.ids.notification(),
        recipient,
        NotificationType.LIKE,
        reason,
        "user",
        recipient,
        world.clock.now(),
    )
    async with world.block() as scope:
        await scope.notifier.notify(notification)
    return notification


async def test_each_type_is_sent_to_its_recipients_and_not_to_the_actor(world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann", tokens=100)
    style, trained, failed = [await world.untrained_style(mia, name) for name in ("Ink", "Oil", "Chalk")]
    for notified_style in (style, trained):
        for _ in range(2):  # webhooks come twice
            await world.use_case(CompleteTraining)(notified_style.version_id, model_path="gs://models/x", metric=None)
    for _ in range(2):
        await world.use_case(FailTraining)(failed.version_id, Failure("TRAINING_ERROR", "No."))
    made, lost = await world.generation(ann, style), await world.generation(ann, style)
    for _ in range(2):
        await world.use_case(CompleteGeneration)(made.id, result_url=world.blobs.uri("generations/1.png"), metadata={})
        await world.use_case(FailGeneration)(lost.id, Failure("INVALID_PROMPT", "No."))
    await world.use_case(EditGeneration)(ann.id, made.id, GenerationChanges(description="Mine"))
    image = await world.image(ann, style, public=True)
    for who in (ann, mia):
        await world.use_case(LikeGeneration)(who.id, image.id)
        await world.use_case(PostComment)(who.id, image.id, NewComment("Nice"))
    await world.use_case(FollowUser)(mia.id, ann.id)
    admin = Requester((await world.admin()).id, Role.ADMIN, is_artist=False)
    for _ in range(2):
        await world.use_case(WithdrawStyle)(admin, trained.id, NewTakedown("Copied."))
    report = await world.use_case(SubmitReport)(ann.id, NewReport(TargetType.STYLE, trained.id, ReportReason.OTHER))
    await world.use_case(DismissReport)(Operator(admin.id), report, reason="It is hers.")
    refunded, refused, charged_back = [await world.buy(ann, tokens) for tokens in (10, 20, 30)]
    world.payments.refuse_to_refund(refused.order_id)
    world.payments.refund(charged_back.order_id, left=0)
    for asked in (refunded, refused):
        await world.use_case(RequestRefund)(ann.id, asked.order_id)
    for _ in range(2):
        await world.use_case(CarryOutRefunds)()
        await world.use_case(CheckPurchase)(charged_back.order_id, payment_key=charged_back.payment_key)

    kept = [one.notification for one in world.database.tables.notifications.values()]

    assert sorted((one.recipient, one.type.value, one.actor, one.target_type, one.target_id) for one in kept) == sorted(
        [
            (mia.id, "style_training_complete", None, "style", style.id),
            (mia.id, "style_training_complete", None, "style", trained.id),
            (mia.id, "style_training_failed", None, "style", failed.id),
            (mia.id, "style_withdrawn", None, "style", trained.id),
            (mia.id, "content_reviewed", None, "style", trained.id),
            (ann.id, "report_resolved", None, "style", trained.id),
            (ann.id, "generation_complete", None, "generation", made.id),
            (ann.id, "generation_failed", None, "generation", lost.id),
            (ann.id, "like", mia.id, "generation", image.id),
            (ann.id, "comment", mia.id, "generation", image.id),
            (ann.id, "follow", mia.id, "user", ann.id),
            (ann.id, "purchase_refunded", None, "purchase", None),
            (ann.id, "refund_refused", None, "purchase", None),
            (ann.id, "purchase_charged_back", None, "purchase", None),
        ]
    )
    sent_at_sign_in = {NotificationType.NEW_SIGN_IN}  # see tests/entrypoints/test_sessions.py
    assert {one.type for one in kept} == set(NotificationType) - sent_at_sign_in


async def test_old_read_notifications_are_dropped_and_can_be_sent_again(world: MemoryWorld) -> None:
    ann = await world.user("ann")
    read, unread = await notified(world, ann.id, "1"), await notified(world, ann.id, "2")
    await world.use_case(MarkRead)(ann.id, read.id)
    world.clock.advance(KEPT_READ - timedelta(seconds=1))
    assert await world.use_case(PurgeReadNotifications)() == 0
    world.clock.advance(timedelta(seconds=1))
    assert await world.use_case(PurgeReadNotifications)() == 1

    assert list(world.database.tables.notifications) == [unread.id]
    again = await notified(world, ann.id, "1")
    assert sorted(world.database.tables.notifications) == sorted([unread.id, again.id])
