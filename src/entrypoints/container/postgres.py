"""Everything that is stored, in PostgreSQL."""

from collections.abc import AsyncIterator

from dishka import AnyOf, Provider, Scope

from adapters.postgres.account_deletion import PostgresPersonalData
from adapters.postgres.accounts import (
    PostgresAccountsReader,
    PostgresActiveSessions,
    PostgresSessions,
    PostgresUsers,
)
from adapters.postgres.admission import PostgresAdmission
from adapters.postgres.artwork_uploads import PostgresArtworkChecks, PostgresArtworkUploads
from adapters.postgres.audit import PostgresAuditLog, PostgresAuditReader
from adapters.postgres.backlog import PostgresBacklogReader
from adapters.postgres.books import PostgresBooks
from adapters.postgres.changes import PostgresChanges
from adapters.postgres.community import PostgresComments, PostgresCommunityReader, PostgresFollows, PostgresLikes
from adapters.postgres.discarded_objects import PostgresDiscardedObjects
from adapters.postgres.export import PostgresExportReader
from adapters.postgres.generations import PostgresGenerations
from adapters.postgres.generations_reader import PostgresGenerationsReader, QueueLength
from adapters.postgres.idempotency import PostgresAnswers, PostgresIdempotentCall
from adapters.postgres.ids import PostgresIds
from adapters.postgres.listener import Listener
from adapters.postgres.maintenance import PostgresMaintenance
from adapters.postgres.notifications import PostgresNotifications, PostgresNotificationsReader, PostgresNotifier
from adapters.postgres.orphaned_blobs import PostgresOrphanedBlobs
from adapters.postgres.overview import PostgresOverviewReader
from adapters.postgres.pool import Pool, Reads, create_pool
from adapters.postgres.purchases import PostgresPurchases, PostgresPurchasesReader
from adapters.postgres.rate_limits import PostgresRateLimiter, RateLimitCounts
from adapters.postgres.reports import PostgresReports, PostgresReportsReader
from adapters.postgres.search import PostgresSearchReader
from adapters.postgres.style_versions import PostgresStyleVersions
from adapters.postgres.style_versions_reader import PostgresStyleVersionsReader
from adapters.postgres.styles import PostgresStyles
from adapters.postgres.styles_reader import PostgresStylesReader
from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
from adapters.postgres.tokens import PostgresTokenLedger
from adapters.postgres.tokens_reader import PostgresTokensReader
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.unit_of_work import UnitOfWork
from adapters.postgres.withdrawals import PostgresWithdrawals, PostgresWithdrawalsReader
from core.account_deletion.repository import PersonalData
from core.account_deletion.views import ExportReader
from core.accounts.repository import Sessions, Users
from core.accounts.views import AccountsReader
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.audit.repository import AuditLog
from core.audit.views import AuditReader
from core.community.repository import Comments, Follows, Likes
from core.community.views import CommunityReader
from core.generations.repository import Generations
from core.generations.views import GenerationsReader
from core.notifications.repository import Notifications
from core.notifications.views import NotificationsReader
from core.overview.views import OverviewReader
from core.ports.active_sessions import ActiveSessions
from core.ports.admission import Admission
from core.ports.books import Books
from core.ports.changes import Changes
from core.ports.database import Database
from core.ports.discarded_objects import DiscardedObjects
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
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader
from core.reports.repository import Reports
from core.reports.views import ReportsReader
from core.search.views import SearchReader
from core.styles.repository import Styles, StyleVersions
from core.styles.views import StylesReader, StyleVersionsReader
from core.tasks.views import BacklogReader
from core.tokens.views import TokensReader
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import WithdrawalsReader
from entrypoints.http.console.rows import ConsoleRows
from entrypoints.settings import Settings


def postgres() -> Provider:
    async def pool(settings: Settings) -> AsyncIterator[Pool]:
        async with create_pool(settings.database_dsn(), max_size=settings.database_pool_size) as opened:
            yield opened

    async def listener(settings: Settings) -> AsyncIterator[Listener]:
        opened = Listener(settings.database_dsn())
        yield opened
        await opened.close()

    async def console_rows(settings: Settings) -> AsyncIterator[ConsoleRows]:
        from adapters.postgres.read_only import read_only_engine, sessions_of, tables_by_name

        async with read_only_engine(settings.database_dsn()) as engine:
            yield ConsoleRows(tables_by_name(), sessions_of(engine))

    def waiting_tasks(pool: Pool, listener: Listener, settings: Settings) -> PostgresOutbox:
        return PostgresOutbox(pool, listener=listener, notifies=settings.relay == "off")

    provider = Provider(scope=Scope.APP)
    provider.provide(pool, provides=AnyOf[Pool, Database])
    provider.provide(PostgresIds, provides=Ids)
    provider.provide(PostgresAnswers, provides=Answers)
    provider.provide(RateLimitCounts)
    provider.provide(listener)
    provider.provide(QueueLength)
    provider.provide(waiting_tasks, provides=AnyOf[PostgresOutbox, Outbox])
    provider.provide(PostgresChanges, provides=Changes)
    provider.provide(PostgresBooks, provides=Books)
    provider.provide(PostgresMaintenance, provides=Maintenance)
    provider.provide(PostgresOrphanedBlobs, provides=OrphanedBlobs)
    provider.provide(console_rows)
    _provide_for_requests(provider)
    return provider


def _provide_for_requests(provider: Provider) -> None:
    """What belongs to one unit of work."""
    provider.scope = Scope.REQUEST
    provider.provide(PostgresRateLimiter, provides=RateLimiter)
    provider.provide(PostgresAdmission, provides=Admission)
    provider.provide(PostgresAccountsReader, provides=AccountsReader)
    provider.provide(PostgresExportReader, provides=ExportReader)
    provider.provide(PostgresTokensReader, provides=TokensReader)
    provider.provide(PostgresPurchasesReader, provides=PurchasesReader)
    provider.provide(PostgresWithdrawalsReader, provides=WithdrawalsReader)
    provider.provide(PostgresBacklogReader, provides=BacklogReader)
    provider.provide(PostgresStylesReader, provides=StylesReader)
    provider.provide(PostgresStyleVersionsReader, provides=StyleVersionsReader)
    provider.provide(PostgresSearchReader, provides=SearchReader)
    provider.provide(PostgresGenerationsReader, provides=GenerationsReader)
    provider.provide(PostgresNotificationsReader, provides=NotificationsReader)
    provider.provide(PostgresCommunityReader, provides=CommunityReader)
    provider.provide(UnitOfWork, provides=AnyOf[UnitOfWork, Reads])
    provider.provide(PostgresIdempotentCall, provides=IdempotentCall)
    provider.provide(PostgresTransaction, provides=AnyOf[PostgresTransaction, Transaction])
    provider.provide(PostgresUsers, provides=Users)
    provider.provide(PostgresActiveSessions, provides=ActiveSessions)
    provider.provide(PostgresSessions, provides=Sessions)
    provider.provide(PostgresPersonalData, provides=PersonalData)
    provider.provide(PostgresTokenLedger, provides=TokenLedger)
    provider.provide(PostgresPurchases, provides=Purchases)
    provider.provide(PostgresWithdrawals, provides=Withdrawals)
    provider.provide(PostgresStyles, provides=Styles)
    provider.provide(PostgresStyleVersions, provides=StyleVersions)
    provider.provide(PostgresArtworkChecks, provides=ArtworkChecks)
    provider.provide(PostgresArtworkUploads, provides=ArtworkUploads)
    provider.provide(PostgresGenerations, provides=Generations)
    provider.provide(PostgresNotifier, provides=Notifier)
    provider.provide(PostgresNotifications, provides=Notifications)
    provider.provide(PostgresFollows, provides=Follows)
    provider.provide(PostgresLikes, provides=Likes)
    provider.provide(PostgresComments, provides=Comments)
    provider.provide(PostgresReports, provides=Reports)
    provider.provide(PostgresReportsReader, provides=ReportsReader)
    provider.provide(PostgresTaskQueue, provides=TaskQueue)
    provider.provide(PostgresOverviewReader, provides=OverviewReader)
    provider.provide(PostgresAuditLog, provides=AuditLog)
    provider.provide(PostgresAuditReader, provides=AuditReader)
    provider.provide(PostgresDiscardedObjects, provides=DiscardedObjects)
