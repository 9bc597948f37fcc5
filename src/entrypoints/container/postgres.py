"""Everything that is stored, in PostgreSQL."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope

from adapters.postgres.account_deletion import PostgresPersonalData
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
from adapters.postgres.maintenance import PostgresMaintenance
from adapters.postgres.notifications import PostgresNotifications, PostgresNotificationsReader, PostgresNotifier
from adapters.postgres.orphaned_blobs import PostgresOrphanedBlobs
from adapters.postgres.pool import Pool, Reads, create_pool
from adapters.postgres.purchases import PostgresPurchases, PostgresPurchasesReader
from adapters.postgres.rate_limits import PostgresRateLimiter
from adapters.postgres.search import PostgresSearchReader
from adapters.postgres.styles import PostgresStyles, PostgresStylesReader
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.tokens import PostgresTokenLedger, PostgresTokensReader
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.postgres.unwanted_blobs import PostgresUnwantedBlobs
from adapters.postgres.withdrawals import PostgresWithdrawals, PostgresWithdrawalsReader
from core.account_deletion.repository import PersonalData
from core.account_deletion.views import ExportReader
from core.accounts.repository import Sessions, Users
from core.accounts.views import AccountsReader
from core.community.repository import Comments, Follows, Likes
from core.community.views import CommunityReader
from core.generations.repository import Generations
from core.generations.views import GenerationsReader
from core.notifications.repository import Notifications
from core.notifications.views import NotificationsReader
from core.ports.books import Books
from core.ports.changes import Changes
from core.ports.database import Database
from core.ports.idempotency import Answers, IdempotentCall
from core.ports.ids import Ids
from core.ports.maintenance import Maintenance
from core.ports.notifier import Notifier
from core.ports.orphaned_blobs import OrphanedBlobs
from core.ports.outbox import Outbox
from core.ports.rate_limiter import RateLimiter
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader
from core.search.views import SearchReader
from core.styles.repository import Styles
from core.styles.views import StylesReader
from core.tasks.views import BacklogReader
from core.tokens.views import TokensReader
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import WithdrawalsReader
from entrypoints.settings import Settings


def postgres() -> Provider:
    async def pool(settings: Settings) -> AsyncIterator[Pool]:
        async with create_pool(settings.database_url or "", max_size=settings.database_pool_size) as opened:
            yield opened

    async def listener(settings: Settings) -> AsyncIterator[Listener]:
        opened = Listener(settings.database_url or "")
        yield opened
        await opened.close()

    def waiting_tasks(pool: Pool, listener: Listener, settings: Settings) -> PostgresOutbox:
        return PostgresOutbox(pool, listener=listener, tells=settings.relay == "off")

    app, request = Scope.APP, Scope.REQUEST
    provider = Provider()
    provider.provide(pool, provides=AnyOf[Pool, Database], scope=app)
    provider.provide(PostgresIds, provides=Ids, scope=app)
    provider.provide(PostgresAnswers, provides=Answers, scope=app)
    provider.provide(PostgresRateLimiter, provides=RateLimiter, scope=request)
    provider.provide(listener, scope=app)
    provider.provide(QueueLength, scope=app)
    provider.provide(waiting_tasks, provides=AnyOf[PostgresOutbox, Outbox], scope=app)
    provider.provide(PostgresChanges, provides=Changes, scope=app)
    provider.provide(PostgresAccountsReader, provides=AccountsReader, scope=request)
    provider.provide(PostgresExportReader, provides=ExportReader, scope=request)
    provider.provide(PostgresTokensReader, provides=TokensReader, scope=request)
    provider.provide(PostgresPurchasesReader, provides=PurchasesReader, scope=request)
    provider.provide(PostgresWithdrawalsReader, provides=WithdrawalsReader, scope=request)
    provider.provide(PostgresBooks, provides=Books, scope=app)
    provider.provide(PostgresMaintenance, provides=Maintenance, scope=app)
    provider.provide(PostgresOrphanedBlobs, provides=OrphanedBlobs, scope=app)
    provider.provide(PostgresBacklogReader, provides=BacklogReader, scope=request)
    provider.provide(PostgresStylesReader, provides=StylesReader, scope=request)
    provider.provide(PostgresSearchReader, provides=SearchReader, scope=request)
    provider.provide(PostgresGenerationsReader, provides=GenerationsReader, scope=request)
    provider.provide(PostgresNotificationsReader, provides=NotificationsReader, scope=request)
    provider.provide(PostgresCommunityReader, provides=CommunityReader, scope=request)
    provider.provide(UnitOfWork, provides=AnyOf[UnitOfWork, Reads], scope=request)
    provider.provide(PostgresIdempotentCall, provides=IdempotentCall, scope=request)
    provider.provide(PostgresTransaction, provides=AnyOf[PostgresTransaction, Transaction], scope=request)
    provider.provide(PostgresUsers, provides=Users, scope=request)
    provider.provide(PostgresSessions, provides=Sessions, scope=request)
    provider.provide(PostgresPersonalData, provides=PersonalData, scope=request)
    provider.provide(PostgresTokenLedger, provides=TokenLedger, scope=request)
    provider.provide(PostgresPurchases, provides=Purchases, scope=request)
    provider.provide(PostgresWithdrawals, provides=Withdrawals, scope=request)
    provider.provide(PostgresStyles, provides=Styles, scope=request)
    provider.provide(PostgresGenerations, provides=Generations, scope=request)
    provider.provide(PostgresNotifier, provides=Notifier, scope=request)
    provider.provide(PostgresNotifications, provides=Notifications, scope=request)
    provider.provide(PostgresFollows, provides=Follows, scope=request)
    provider.provide(PostgresLikes, provides=Likes, scope=request)
    provider.provide(PostgresComments, provides=Comments, scope=request)
    provider.provide(PostgresTaskQueue, provides=TaskQueue, scope=request)
    provider.provide(PostgresUnwantedBlobs, provides=UnwantedBlobs, scope=request)
    return provider
