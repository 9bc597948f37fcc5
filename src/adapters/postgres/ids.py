import asyncio
from collections import deque
from uuid import uuid4

from adapters.postgres.pool import Pool
from core.identifiers import (
    ArtworkId,
    CommentId,
    GenerationId,
    HoldId,
    NotificationId,
    ReportId,
    SessionId,
    StyleId,
    TaskId,
    UploadId,
    UserId,
    VersionId,
    WithdrawalId,
)
from core.ports.ids import Ids

BLOCK = 200
TAKE = """
SELECT nextval(sequence) AS id
FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS sequence OFFSET 0) named, generate_series(1, $2)
"""
"""OFFSET 0 keeps the sequence from being looked up for each id."""


class PostgresIds(Ids):
    """Takes ids from the tables' sequences in blocks; one instance per process."""

    def __init__(self, pool: Pool) -> None:
        self._users = _Block(pool, "users")
        self._styles = _Block(pool, "styles")
        self._artworks = _Block(pool, "artworks")
        self._generations = _Block(pool, "generations")
        self._transfers = _Block(pool, "transfers")
        self._comments = _Block(pool, "comments")
        self._withdrawals = _Block(pool, "withdrawals")
        self._reports = _Block(pool, "reports")
        self._notifications = _Block(pool, "notifications")
        self._sessions = _Block(pool, "sessions")
        self._uploads = _Block(pool, "artwork_uploads")

    async def user(self) -> UserId:
        return UserId(await self._users.next())

    async def style(self) -> StyleId:
        return StyleId(await self._styles.next())

    async def version(self) -> VersionId:
        return VersionId(await self._styles.next())

    async def artwork(self) -> ArtworkId:
        return ArtworkId(await self._artworks.next())

    async def generation(self) -> GenerationId:
        return GenerationId(await self._generations.next())

    async def hold(self) -> HoldId:
        return HoldId(await self._transfers.next())

    async def comment(self) -> CommentId:
        return CommentId(await self._comments.next())

    async def withdrawal(self) -> WithdrawalId:
        return WithdrawalId(await self._withdrawals.next())

    async def report(self) -> ReportId:
        return ReportId(await self._reports.next())

    async def notification(self) -> NotificationId:
        return NotificationId(await self._notifications.next())

    async def session(self) -> SessionId:
        return SessionId(await self._sessions.next())

    async def upload(self) -> UploadId:
        return UploadId(await self._uploads.next())

    def task(self) -> TaskId:
        return TaskId(str(uuid4()))


class _Block:
    def __init__(self, pool: Pool, table: str) -> None:
        self._pool = pool
        self._table = table
        self._left: deque[int] = deque()
        self._filling = asyncio.Lock()

    async def next(self) -> int:
        while not self._left:
            async with self._filling:
                if not self._left:
                    rows = await self._pool.fetch(TAKE, self._table, BLOCK)
                    self._left.extend(row["id"] for row in rows)
        return self._left.popleft()
