"""Everything that is stored, in memory."""

from dishka import AnyOf, Provider, Scope

from adapters.memory.account_deletion import MemoryPersonalData
from adapters.memory.accounts import MemoryAccountsReader, MemorySessions, MemoryUsers
from adapters.memory.artwork_uploads import MemoryArtworkChecks, MemoryArtworkUploads
from adapters.memory.audit import MemoryAuditLog, MemoryAuditReader
from adapters.memory.backlog import MemoryBacklogReader
from adapters.memory.books import MemoryBooks
from adapters.memory.community import MemoryComments, MemoryCommunityReader, MemoryFollows, MemoryLikes
from adapters.memory.database import MemoryDatabase, Reads, UnitOfWork
from adapters.memory.discarded_objects import MemoryDiscardedObjects
from adapters.memory.export import MemoryExportReader
from adapters.memory.generations import MemoryGenerations, MemoryGenerationsReader
from adapters.memory.idempotency import MemoryAnswers, MemoryIdempotentCall
from adapters.memory.ids import MemoryIds
from adapters.memory.maintenance import MemoryMaintenance
from adapters.memory.notifications import MemoryNotifications, MemoryNotificationsReader, MemoryNotifier
from adapters.memory.orphaned_blobs import MemoryOrphanedBlobs
from adapters.memory.overview import MemoryOverviewReader
from adapters.memory.purchases import MemoryPurchases, MemoryPurchasesReader
from adapters.memory.rate_limits import MemoryRateLimiter
from adapters.memory.reports import MemoryReports, MemoryReportsReader
from adapters.memory.search import MemorySearchReader
from adapters.memory.style_versions import MemoryStyleVersions, MemoryStyleVersionsReader
from adapters.memory.styles import MemoryStyles, MemoryStylesReader
from adapters.memory.tasks import MemoryOutbox, MemoryTaskQueue
from adapters.memory.tokens import MemoryTokenLedger, MemoryTokensReader
from adapters.memory.transaction import MemoryTransaction
from adapters.memory.withdrawals import MemoryWithdrawals, MemoryWithdrawalsReader
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


def memory() -> Provider:
    def changes(database: MemoryDatabase) -> Changes:
        return database.changes

    app, request = Scope.APP, Scope.REQUEST
    provider = Provider()
    provider.provide(MemoryDatabase, provides=AnyOf[MemoryDatabase, Database], scope=app)
    provider.provide(changes, scope=app)
    provider.provide(MemoryIds, provides=Ids, scope=app)
    provider.provide(MemoryAnswers, provides=Answers, scope=app)
    provider.provide(MemoryRateLimiter, provides=RateLimiter, scope=app)
    provider.provide(MemoryOutbox, provides=AnyOf[MemoryOutbox, Outbox], scope=app)
    provider.provide(MemoryAccountsReader, provides=AccountsReader, scope=request)
    provider.provide(MemoryExportReader, provides=ExportReader, scope=request)
    provider.provide(MemoryTokensReader, provides=TokensReader, scope=request)
    provider.provide(MemoryPurchasesReader, provides=PurchasesReader, scope=request)
    provider.provide(MemoryWithdrawalsReader, provides=WithdrawalsReader, scope=request)
    provider.provide(MemoryBooks, provides=Books, scope=app)
    provider.provide(MemoryMaintenance, provides=Maintenance, scope=app)
    provider.provide(MemoryOrphanedBlobs, provides=OrphanedBlobs, scope=app)
    provider.provide(MemoryBacklogReader, provides=BacklogReader, scope=request)
    provider.provide(MemoryStylesReader, provides=StylesReader, scope=request)
    provider.provide(MemoryStyleVersionsReader, provides=StyleVersionsReader, scope=request)
    provider.provide(MemorySearchReader, provides=SearchReader, scope=request)
    provider.provide(MemoryGenerationsReader, provides=GenerationsReader, scope=request)
    provider.provide(MemoryNotificationsReader, provides=NotificationsReader, scope=request)
    provider.provide(MemoryCommunityReader, provides=CommunityReader, scope=request)
    provider.provide(UnitOfWork, provides=AnyOf[UnitOfWork, Reads], scope=request)
    provider.provide(MemoryIdempotentCall, provides=IdempotentCall, scope=request)
    provider.provide(MemoryTransaction, provides=AnyOf[MemoryTransaction, Transaction], scope=request)
    provider.provide(MemoryUsers, provides=Users, scope=request)
    provider.provide(MemorySessions, provides=AnyOf[Sessions, ActiveSessions], scope=request)
    provider.provide(MemoryPersonalData, provides=PersonalData, scope=request)
    provider.provide(MemoryTokenLedger, provides=TokenLedger, scope=request)
    provider.provide(MemoryPurchases, provides=Purchases, scope=request)
    provider.provide(MemoryWithdrawals, provides=Withdrawals, scope=request)
    provider.provide(MemoryStyles, provides=Styles, scope=request)
    provider.provide(MemoryStyleVersions, provides=StyleVersions, scope=request)
    provider.provide(MemoryArtworkChecks, provides=ArtworkChecks, scope=request)
    provider.provide(MemoryArtworkUploads, provides=ArtworkUploads, scope=request)
    provider.provide(MemoryGenerations, provides=Generations, scope=request)
    provider.provide(MemoryNotifier, provides=Notifier, scope=request)
    provider.provide(MemoryNotifications, provides=Notifications, scope=request)
    provider.provide(MemoryFollows, provides=Follows, scope=request)
    provider.provide(MemoryLikes, provides=Likes, scope=request)
    provider.provide(MemoryComments, provides=Comments, scope=request)
    provider.provide(MemoryReports, provides=Reports, scope=request)
    provider.provide(MemoryReportsReader, provides=ReportsReader, scope=request)
    provider.provide(MemoryTaskQueue, provides=TaskQueue, scope=request)
    provider.provide(MemoryOverviewReader, provides=OverviewReader, scope=request)
    provider.provide(MemoryAuditLog, provides=AuditLog, scope=request)
    provider.provide(MemoryAuditReader, provides=AuditReader, scope=request)
    provider.provide(MemoryDiscardedObjects, provides=DiscardedObjects, scope=request)
    return provider
