import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import insert
from core.audit.model import AuditEntry
from core.audit.repository import AuditLog
from core.audit.views import AuditLine, AuditReader
from core.paging import Page, PageRequest

COLUMNS = AuditLine.__struct_fields__
WRITTEN = tuple(column for column in COLUMNS if column != "id")


class PostgresAuditLog(AuditLog):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, entry: AuditEntry) -> None:
        row = msgspec.structs.asdict(entry) | msgspec.structs.asdict(entry.operator) | {"created_at": entry.at}
        await self._transaction.write(insert("audit_log", WRITTEN), {column: row[column] for column in WRITTEN})


class PostgresAuditReader(AuditReader):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def list(self, *, page: PageRequest) -> Page[AuditLine]:
        keys, arguments = Keys(), Arguments()
        sql = f"""
        SELECT {", ".join(COLUMNS)} FROM audit_log WHERE {keys.after(page, arguments)}
        ORDER BY {keys.order()} {limit(page)}
        """
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([AuditLine(**row) for row in rows], following)
