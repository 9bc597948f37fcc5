from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.ports.unwanted_blobs import UnwantedBlobs


class MemoryUnwantedBlobs(UnwantedBlobs):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, *places: str) -> None:
        self._transaction.write(lambda tables: tables.unwanted.update(dict.fromkeys(places)))

    async def some(self, *, limit: int) -> list[str]:
        return sorted(self._transaction.tables.unwanted)[:limit]

    async def forget(self, places: list[str]) -> None:
        def operation(tables: Tables) -> None:
            for place in places:
                tables.unwanted.pop(place, None)

        self._transaction.write(operation)
