from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.ports.discarded_objects import DiscardedObjects


class MemoryDiscardedObjects(DiscardedObjects):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, *entries: str) -> None:
        self._transaction.write(lambda tables: tables.discarded.update(dict.fromkeys(entries)))

    async def batch(self, *, limit: int) -> list[str]:
        return sorted(self._transaction.tables.discarded)[:limit]

    async def remove(self, entries: list[str]) -> None:
        def operation(tables: Tables) -> None:
            for entry in entries:
                tables.discarded.pop(entry, None)

        self._transaction.write(operation)
