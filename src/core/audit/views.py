from datetime import datetime
from typing import Protocol

import msgspec

from core.identifiers import UserId
from core.paging import Page, PageRequest


class AuditLine(msgspec.Struct, frozen=True):
    id: int
    admin_id: UserId | None
    source: str
    account: str | None
    action: str
    target_type: str
    target_id: str | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    reason: str | None
    trace_id: str | None
    created_at: datetime


class AuditReader(Protocol):
    async def list(self, *, page: PageRequest) -> Page[AuditLine]:
        """Newest first."""
        ...
