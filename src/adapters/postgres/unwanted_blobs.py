from adapters.postgres.transaction import PostgresTransaction
from core.ports.unwanted_blobs import UnwantedBlobs

ADD = "INSERT INTO unwanted_blobs (place) SELECT unnest($1::text[]) ON CONFLICT (place) DO NOTHING"
SOME = "SELECT place FROM unwanted_blobs ORDER BY place LIMIT $1"
FORGET = "DELETE FROM unwanted_blobs WHERE place = ANY($1)"


class PostgresUnwantedBlobs(UnwantedBlobs):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, *places: str) -> None:
        await self._transaction.fetch(ADD, sorted(places), lock=True)

    async def some(self, *, limit: int) -> list[str]:
        return [row["place"] for row in await self._transaction.fetch(SOME, limit)]

    async def forget(self, places: list[str]) -> None:
        await self._transaction.fetch(FORGET, places, lock=True)
