from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.transaction import Transaction
from core.styles.fail_training import training_failed
from core.styles.repository import Styles, StyleVersions
from core.styles.version import ARTWORKS_REJECTED


@dataclass(frozen=True, slots=True)
class RejectTraining:
    """Fail the style's latest version, which waits for review, and notify the artist. It cannot be trained again."""

    styles: Styles
    versions: StyleVersions
    audit: AuditLog
    notifier: Notifier
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, operator: Operator, style_id: StyleId, *, reason: str) -> None:
        """Raises StyleNotFound, NotInReview or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            version = (await self.versions.latest(style_id, lock=True)).reject_training(at=self.clock.now())
            await self.versions.save(version)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.TRAINING_REJECTED,
                    "style",
                    str(style_id),
                    version.updated_at,
                    before={"review": "pending"},
                    after={"review": "rejected", "version": version.number},
                    reason=reason,
                )
            )
            await self.notifier.notify(
                training_failed(await self.ids.notification(), style, version, ARTWORKS_REJECTED)
            )
