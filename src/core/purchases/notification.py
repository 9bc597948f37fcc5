from datetime import datetime

from core.identifiers import NotificationId
from core.notifications.model import Notification, NotificationType
from core.purchases.model import Purchase
from core.tokens.model import Transfer


def refund_notification(notification_id: NotificationId, purchase: Purchase, *, at: datetime) -> Notification:
    """Notifies the buyer that the last refund was completed, or why it was refused. A refund ends once."""
    refund = purchase.refund
    if refund is None or purchase.open_refund:
        raise ValueError(f"no refund of purchase {purchase.order_id} has ended")
    type, failure = NotificationType.PURCHASE_REFUNDED, dict[str, object]()
    if refund.failure is not None:
        type = NotificationType.REFUND_REFUSED
        failure = {"error_code": refund.failure.code, "error_message": refund.failure.message}
    return Notification(
        id=notification_id,
        recipient=purchase.user_id,
        type=type,
        reason=f"{refund.key}:ended",
        target_type="purchase",
        target_id=None,
        at=at,
        metadata={
            "order_id": purchase.order_id,
            "tokens": refund.tokens,
            "price": refund.price,
            "currency_code": purchase.currency_code,
            "reason": refund.reason,
            **failure,
        },
    )


def charge_back_notification(notification_id: NotificationId, purchase: Purchase, taken_back: Transfer) -> Notification:
    """Notifies the buyer that money has gone back without a refund, and its tokens with it."""
    sale = taken_back.sale
    if sale is None:
        raise ValueError(f"no money of purchase {purchase.order_id} has gone back")
    return Notification(
        id=notification_id,
        recipient=purchase.user_id,
        type=NotificationType.PURCHASE_CHARGED_BACK,
        reason=taken_back.reference,
        target_type="purchase",
        target_id=None,
        at=taken_back.at,
        metadata={
            "order_id": purchase.order_id,
            "tokens": taken_back.amount,
            "price": sale.total_price,
            "currency_code": sale.currency_code,
        },
    )
