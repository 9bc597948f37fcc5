from datetime import timedelta

from adapters.postgres.account_deletion import PostgresPersonalData
from adapters.postgres.accounts import PostgresAccountsReader, PostgresSessions, PostgresUsers
from adapters.postgres.backlog import PostgresBacklogReader
from adapters.postgres.books import PostgresBooks
from adapters.postgres.changes import PostgresChanges
from adapters.postgres.community import PostgresComments, PostgresCommunityReader, PostgresFollows, PostgresLikes
from adapters.postgres.export import PostgresExportReader
from adapters.postgres.generations import PostgresGenerations, PostgresGenerationsReader
from adapters.postgres.idempotency import PostgresIdempotency
from adapters.postgres.ids import PostgresIds
from adapters.postgres.listener import Listener
from adapters.postgres.notifications import PostgresNotifications, PostgresNotificationsReader, PostgresNotifier
from adapters.postgres.orphaned_blobs import PostgresOrphanedBlobs
from adapters.postgres.pool import Pool
from adapters.postgres.purchases import PostgresPurchases, PostgresPurchasesReader
from adapters.postgres.search import PostgresSearchReader, PostgresTagCounts
from adapters.postgres.styles import PostgresStyles, PostgresStylesReader
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.tokens import PostgresTokenLedger, PostgresTokensReader
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unwanted_blobs import PostgresUnwantedBlobs
from adapters.postgres.withdrawals import PostgresWithdrawals, PostgresWithdrawalsReader
from core.ports.changes import Topic
from tests.support.world import PATIENCE, Readers, Scope, World


class PostgresWorld(World):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.ids = PostgresIds(pool)
        self.idempotency = PostgresIdempotency(pool, self.clock)
        self.outbox = self._outbox = PostgresOutbox(pool)
        self.listener = Listener(pool.dsn)
        self.changes = PostgresChanges(self.listener)
        self.read = Readers(
            PostgresAccountsReader(pool, self.blobs),
            PostgresTokensReader(pool),
            PostgresStylesReader(pool, self.blobs),
            PostgresGenerationsReader(pool, self.blobs),
            PostgresNotificationsReader(pool, self.blobs),
            PostgresPurchasesReader(pool),
            PostgresSearchReader(pool, self.blobs),
            PostgresCommunityReader(pool, self.blobs),
            PostgresWithdrawalsReader(pool),
            PostgresBacklogReader(pool),
            PostgresExportReader(pool),
        )
        self.books = PostgresBooks(pool)
        self.orphans = PostgresOrphanedBlobs(pool)

    def scope(self) -> Scope:
        transaction = PostgresTransaction(self._pool)
        return Scope(
            transaction,
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
            PostgresPersonalData(transaction),
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
