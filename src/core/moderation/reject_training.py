from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import StyleId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.model import ARTWORKS_REJECTED
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class RejectTraining:
    """Fail a style that waits for review, and notify its artist. It cannot be trained."""

    styles: Styles
    audit: AuditLog
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, operator: Operator, style_id: StyleId, *, reason: str) -> None:
        """Raises StyleNotFound, NotInReview or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            style = (await self.styles.of_id(style_id, lock=True)).reject_training(at=self.clock.now())
            await self.styles.save(style)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.TRAINING_REJECTED,
                    "style",
                    str(style_id),
                    style.updated_at,
                    before={"review": "pending"},
                    after={"review": "rejected"},
                    reason=reason,
                )
            )
            await self.notifier.notify(
                Notification(
                    id=await self.ids.notification(),
                    recipient=style.artist_id,
                    type=NotificationType.STYLE_TRAINING_FAILED,
                    reason=f"training:{style.task_id}:failed",
                    target_type="style",
                    target_id=style.id,
                    at=style.updated_at,
                    metadata={
                        "style_name": style.name,
                        "error_code": ARTWORKS_REJECTED.code,
                        "error_message": ARTWORKS_REJECTED.message,
                    },
                )
            )
