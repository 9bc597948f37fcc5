from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables, deep_copy
from adapters.memory.transaction import MemoryTransaction
from core.audit.model import AuditEntry
from core.audit.repository import AuditLog
from core.audit.views import AuditLine, AuditReader
from core.paging import Keyset, Page, PageRequest


class MemoryAuditLog(AuditLog):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, entry: AuditEntry) -> None:
        line_id, kept = self._transaction.database.next("audit"), deep_copy(entry)

        def operation(tables: Tables) -> None:
            tables.audit[line_id] = kept

        self._transaction.write(operation)


class MemoryAuditReader(AuditReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def list(self, *, page: PageRequest) -> Page[AuditLine]:
        lines = [_line(line_id, deep_copy(entry)) for line_id, entry in self._reads.tables.audit.items()]
        shown, following = page_of(lines, place=_place, page=page)
        return Page(shown, following)


def _place(line: AuditLine) -> Keyset:
    return Keyset(0, line.created_at, line.id)


def _line(line_id: int, entry: AuditEntry) -> AuditLine:
    return AuditLine(
        id=line_id,
        admin_id=entry.operator.admin_id,
        source=entry.operator.source.value,
        account=entry.operator.account,
        action=entry.action.value,
        target_type=entry.target_type,
        target_id=entry.target_id,
        before=entry.before,
        after=entry.after,
        reason=entry.reason,
        trace_id=entry.operator.trace_id,
        created_at=entry.at,
    )
