from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.begin_training import BeginTraining
from core.styles.repository import Styles, StyleVersions


@dataclass(frozen=True, slots=True)
class ApproveTraining:
    """Queue the training of the style's latest version, which waits for review."""

    styles: Styles
    versions: StyleVersions
    begin_training: BeginTraining
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, style_id: StyleId, *, reason: str) -> None:
        """Raises StyleNotFound, NotInReview, StyleWithdrawn or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            version = (await self.versions.latest(style_id, lock=True)).approve_training(at=self.clock.now())
            style.check_not_withdrawn()
            await self.versions.save(version)
            await self.begin_training.at_once(style, version, await self.versions.artworks(version.id))
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.TRAINING_APPROVED,
                    "style",
                    str(style_id),
                    version.updated_at,
                    before={"review": "pending"},
                    after={"review": "approved", "version": version.number},
                    reason=reason,
                )
            )
