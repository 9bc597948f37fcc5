from adapters.postgres.transaction import PostgresTransaction
from core.ports.discarded_objects import DiscardedObjects

ADD = "INSERT INTO unwanted_blobs (place) SELECT unnest($1::text[]) ON CONFLICT (place) DO NOTHING"
BATCH = "SELECT place FROM unwanted_blobs ORDER BY place LIMIT $1"
REMOVE = "DELETE FROM unwanted_blobs WHERE place = ANY($1)"


class PostgresDiscardedObjects(DiscardedObjects):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, *entries: str) -> None:
        await self._transaction.fetch(ADD, sorted(entries), lock=True)

    async def batch(self, *, limit: int) -> list[str]:
        return [row["place"] for row in await self._transaction.fetch(BATCH, limit)]

    async def remove(self, entries: list[str]) -> None:
        await self._transaction.fetch(REMOVE, entries, lock=True)
