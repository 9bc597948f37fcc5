from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class AllowStyle:
    """Let the artist open a style again; it stays closed until then."""

    styles: Styles
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, style_id: StyleId, *, reason: str) -> None:
        """Raises StyleNotFound or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            changed = style.allow(at=self.clock.now())
            await self.styles.save(changed)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.STYLE_ALLOWED,
                    "style",
                    str(style_id),
                    changed.updated_at,
                    before={"closed_by_admin": style.closed_by_admin},
                    after={"closed_by_admin": False},
                    reason=reason,
                )
            )
