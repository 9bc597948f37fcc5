from datetime import timedelta

from adapters.postgres.accounts import PostgresAccountsReader, PostgresSessions, PostgresUsers
from adapters.postgres.backlog import PostgresBacklogReader
from adapters.postgres.books import PostgresBooks
from adapters.postgres.changes import PostgresChanges
from adapters.postgres.community import PostgresComments, PostgresCommunityReader, PostgresFollows, PostgresLikes
from adapters.postgres.export import PostgresExportReader
from adapters.postgres.generations import PostgresGenerations, PostgresGenerationsReader, QueueLength
from adapters.postgres.idempotency import PostgresAnswers, PostgresIdempotentCall
from adapters.postgres.ids import PostgresIds
from adapters.postgres.listener import Listener
from adapters.postgres.notifications import PostgresNotifications, PostgresNotificationsReader, PostgresNotifier
from adapters.postgres.orphaned_blobs import PostgresOrphanedBlobs
from adapters.postgres.pool import Pool, Reads
from adapters.postgres.purchases import PostgresPurchases, PostgresPurchasesReader
from adapters.postgres.search import PostgresSearchReader, PostgresTagCounts
from adapters.postgres.styles import PostgresStyles, PostgresStylesReader
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.tokens import PostgresTokenLedger, PostgresTokensReader
from adapters.postgres.traces import PostgresTraces
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.postgres.unwanted_blobs import PostgresUnwantedBlobs
from adapters.postgres.withdrawals import PostgresWithdrawals, PostgresWithdrawalsReader
from core.ports.changes import Topic
from core.ports.database import DatabaseUsage
from tests.support.world import PATIENCE, Readers, Scope, World


class PostgresWorld(World):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.ids = PostgresIds(pool)
        self.answers = PostgresAnswers(pool, self.clock)
        self.outbox = self._outbox = PostgresOutbox(pool)
        self.listener = Listener(pool.dsn)
        self.changes = PostgresChanges(self.listener)
        self._queue = QueueLength(pool)
        self.read = self._readers(pool)
        self.books = PostgresBooks(pool)
        self.orphans = PostgresOrphanedBlobs(pool)

    def _readers(self, reads: Reads) -> Readers:
        return Readers(
            PostgresAccountsReader(reads, self.blobs),
            PostgresTokensReader(reads),
            PostgresStylesReader(reads, self.blobs),
            PostgresGenerationsReader(reads, self.blobs, self._queue),
            PostgresNotificationsReader(reads, self.blobs),
            PostgresPurchasesReader(reads),
            PostgresSearchReader(reads, self.blobs),
            PostgresCommunityReader(reads, self.blobs),
            PostgresWithdrawalsReader(reads),
            PostgresBacklogReader(reads),
            PostgresExportReader(reads),
        )

    def scope(self) -> Scope:
        unit = UnitOfWork(self._pool, DatabaseUsage())
        transaction = PostgresTransaction(unit)
        return Scope(
            transaction,
            PostgresIdempotentCall(unit),
            self._readers(unit),
            PostgresUsers(transaction),
            PostgresSessions(transaction),
            PostgresTokenLedger(transaction),
            PostgresStyles(transaction),
            PostgresGenerations(transaction),
            PostgresTaskQueue(transaction, self._outbox),
            PostgresNotifier(transaction),
            PostgresNotifications(transaction),
            PostgresPurchases(transaction),
            PostgresFollows(transaction),
            PostgresLikes(transaction),
            PostgresComments(transaction),
            PostgresWithdrawals(transaction),
            PostgresUnwantedBlobs(transaction),
            PostgresTraces(transaction),
            PostgresTagCounts(transaction),
        )

    async def hear(self) -> None:
        with self.changes.subscribe(Topic("anything")) as subscription:
            assert await subscription.changed(within=timedelta(seconds=PATIENCE))

    async def lock_is_awaited(self) -> bool:
        row = await self._pool.fetchrow(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock') AS awaited"
        )
        return bool(row and row["awaited"])
