from collections import Counter
from collections.abc import Callable

from adapters.memory.tables import Entry, Phase, Tables
from core.identifiers import NotificationId, UserId
from core.tokens.model import TransferKind
from tests.simulation.violation import Violation

TYPES = {
    (TransferKind.REFUND, Phase.POST): "purchase_refunded",
    (TransferKind.REFUND, Phase.VOID): "refund_refused",
    (TransferKind.CHARGE_BACK, Phase.MOVE): "purchase_charged_back",
}
"""What a buyer is notified of, by the ledger's entry for it."""


class PurchaseNotifications:
    """Every refund that ends and every charge-back notifies its buyer once, in the same commit, of the same tokens."""

    def __init__(self, tables: Tables, is_here: Callable[[UserId], bool]) -> None:
        self._tables = tables
        self._is_here = is_here
        self._missing: Counter[tuple[UserId, str, object, object]] = Counter()

    def add(self, entry: Entry) -> None:
        """An entry of the ledger. Nobody notifies those who have left."""
        type, buyer = TYPES.get((entry.kind, entry.phase)), entry.debit.owner
        if type and buyer and entry.sale and self._is_here(buyer):
            self._missing[buyer, type, entry.sale.order_id, entry.amount] += 1

    def check(self, changed: list[NotificationId]) -> None:
        """After a commit with these notifications. Raises Violation."""
        for notification_id in changed:
            kept = self._tables.notifications.get(notification_id)
            if kept and kept.notification.target_type == "purchase":
                one, event = kept.notification, kept.notification.metadata
                self._missing[one.recipient, one.type.value, event["order_id"], event["tokens"]] -= 1
        if wrong := {what: count for what, count in self._missing.items() if count}:
            raise Violation(f"notifications of buyers are missing or, if below 0, too many: {wrong}")
