import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.errors import DomainError
from core.identifiers import StyleId
from core.notifications.model import Notification, NotificationType
from core.ports.clock import Clock
from core.ports.discarded_objects import DiscardedObjects
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.requester import Requester
from core.styles.model import Style, Takedown
from core.styles.repository import Styles
from core.takedowns.carry_out_takedown import CarryOutTakedown

_log = logging.getLogger(__name__)

INLINE_TIME = timedelta(seconds=2)
"""How long the call itself cancels and hides; a maintenance pass does the rest."""


class NewTakedown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    """1 to 500 characters."""
    keep_images: bool = True
    """Whether published images stay public; otherwise samples and the thumbnail go too."""


@dataclass(frozen=True, slots=True)
class WithdrawStyle:
    """Withdraw a style for good, as its artist or an admin.

    From the commit on there is no new generation. Queued ones are cancelled and refunded; those that are processed are
    completed and paid, or failed and refunded, as any other.
    """

    styles: Styles
    audit: AuditLog
    notifier: Notifier
    discarded: DiscardedObjects
    delete_discarded: DeleteDiscardedObjects
    carry_out: CarryOutTakedown
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(
        self,
        requester: Requester,
        style_id: StyleId,
        new: NewTakedown,
        *,
        operator: Operator | None = None,
        at_once: bool = True,
    ) -> None:
        """`operator` says more of an admin for the audit log. Without `at_once`, a maintenance pass cancels and hides:
        where the commit is deferred, cancelling would wait for requests that wait for it.

        Raises StyleNotFound, Forbidden or ValidationError.
        """
        reason = parse_reason(new.reason)
        async with self.transaction:
            style = await self.styles.lock_to_withdraw(style_id)
            if not requester.is_admin:
                style.check_owner(requester.id)
            now = self.clock.now()
            by_admin = requester.id != style.artist_id
            withdrawn = style.withdraw(Takedown(now, reason, by_admin, new.keep_images))
            if withdrawn == style:
                return
            await self.styles.save(withdrawn)
            objects = [style.thumbnail_key] if style.thumbnail_key and not withdrawn.thumbnail_key else []
            if objects:
                await self.discarded.add(*objects)
            if by_admin:
                await self._record(withdrawn, reason, operator or Operator(requester.id), at=now)
        if not at_once:
            return
        if objects:
            await self.delete_discarded.at_once(objects)
        try:
            await self.carry_out(style_id, until=now + INLINE_TIME)
        except DomainError as error:
            _log.warning("takedown postponed style=%d reason=%s", style_id, error)

    async def _record(self, style: Style, reason: str, operator: Operator, *, at: datetime) -> None:
        keeps_images = style.takedown is not None and style.takedown.keeps_images
        await self.audit.add(
            AuditEntry(
                operator,
                Action.STYLE_WITHDRAWN,
                "style",
                str(style.id),
                at,
                after={"keeps_images": keeps_images},
                reason=reason,
            )
        )
        await self.notifier.notify(
            Notification(
                id=await self.ids.notification(),
                recipient=style.artist_id,
                type=NotificationType.STYLE_WITHDRAWN,
                reason=f"style:{style.id}:withdrawn:{at.isoformat()}",
                target_type="style",
                target_id=style.id,
                at=at,
                metadata={"style_name": style.name, "reason": reason},
            )
        )
