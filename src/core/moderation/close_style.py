from dataclasses import dataclass

from core.audit.model import Action, AuditEntry, Operator, parse_reason
from core.audit.repository import AuditLog
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class CloseStyle:
    """Close a style to new generations and keep its artist from opening it. Requested generations are made."""

    styles: Styles
    audit: AuditLog
    transaction: Transaction
    clock: Clock

    async def __call__(self, operator: Operator, style_id: StyleId, *, reason: str) -> None:
        """Raises StyleNotFound or ValidationError."""
        reason = parse_reason(reason)
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            changed = style.close_by_admin(at=self.clock.now())
            await self.styles.save(changed)
            await self.audit.add(
                AuditEntry(
                    operator,
                    Action.STYLE_CLOSED,
                    "style",
                    str(style_id),
                    changed.updated_at,
                    before={"open": style.is_active, "closed_by_admin": style.closed_by_admin},
                    after={"open": False, "closed_by_admin": True},
                    reason=reason,
                )
            )
