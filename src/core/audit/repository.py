from typing import Protocol

from core.audit.model import AuditEntry


class AuditLog(Protocol):
    async def add(self, entry: AuditEntry) -> None:
        """Append a line in the open transaction. No line is ever changed or removed."""
        ...
