"""Everything that is stored, in memory."""

from dishka import AnyOf, Provider, Scope

from adapters.memory.account_deletion import MemoryPersonalData
from adapters.memory.accounts import MemoryAccountsReader, MemorySessions, MemoryUsers
from adapters.memory.admission import MemoryAdmission
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


def memory() -> Provider:
    def changes(database: MemoryDatabase) -> Changes:
        return database.changes

    provider = Provider(scope=Scope.APP)
    provider.provide(MemoryDatabase, provides=AnyOf[MemoryDatabase, Database])
    provider.provide(changes)
    provider.provide(MemoryIds, provides=Ids)
    provider.provide(MemoryAnswers, provides=Answers)
    provider.provide(MemoryRateLimiter, provides=RateLimiter)
    provider.provide(MemoryOutbox, provides=AnyOf[MemoryOutbox, Outbox])
    provider.provide(MemoryBooks, provides=Books)
    provider.provide(MemoryMaintenance, provides=Maintenance)
    provider.provide(MemoryOrphanedBlobs, provides=OrphanedBlobs)
    _provide_for_requests(provider)
    return provider


def _provide_for_requests(provider: Provider) -> None:
    """What belongs to one unit of work."""
    provider.scope = Scope.REQUEST
    provider.provide(MemoryAccountsReader, provides=AccountsReader)
    provider.provide(MemoryExportReader, provides=ExportReader)
    provider.provide(MemoryTokensReader, provides=TokensReader)
    provider.provide(MemoryPurchasesReader, provides=PurchasesReader)
    provider.provide(MemoryWithdrawalsReader, provides=WithdrawalsReader)
    provider.provide(MemoryBacklogReader, provides=BacklogReader)
    provider.provide(MemoryStylesReader, provides=StylesReader)
    provider.provide(MemoryStyleVersionsReader, provides=StyleVersionsReader)
    provider.provide(MemorySearchReader, provides=SearchReader)
    provider.provide(MemoryGenerationsReader, provides=GenerationsReader)
    provider.provide(MemoryNotificationsReader, provides=NotificationsReader)
    provider.provide(MemoryCommunityReader, provides=CommunityReader)
    provider.provide(UnitOfWork, provides=AnyOf[UnitOfWork, Reads])
    provider.provide(MemoryIdempotentCall, provides=IdempotentCall)
    provider.provide(MemoryTransaction, provides=AnyOf[MemoryTransaction, Transaction])
    provider.provide(MemoryUsers, provides=Users)
    provider.provide(MemorySessions, provides=AnyOf[Sessions, ActiveSessions])
    provider.provide(MemoryAdmission, provides=Admission)
    provider.provide(MemoryPersonalData, provides=PersonalData)
    provider.provide(MemoryTokenLedger, provides=TokenLedger)
    provider.provide(MemoryPurchases, provides=Purchases)
    provider.provide(MemoryWithdrawals, provides=Withdrawals)
    provider.provide(MemoryStyles, provides=Styles)
    provider.provide(MemoryStyleVersions, provides=StyleVersions)
    provider.provide(MemoryArtworkChecks, provides=ArtworkChecks)
    provider.provide(MemoryArtworkUploads, provides=ArtworkUploads)
    provider.provide(MemoryGenerations, provides=Generations)
    provider.provide(MemoryNotifier, provides=Notifier)
    provider.provide(MemoryNotifications, provides=Notifications)
    provider.provide(MemoryFollows, provides=Follows)
    provider.provide(MemoryLikes, provides=Likes)
    provider.provide(MemoryComments, provides=Comments)
    provider.provide(MemoryReports, provides=Reports)
    provider.provide(MemoryReportsReader, provides=ReportsReader)
    provider.provide(MemoryTaskQueue, provides=TaskQueue)
    provider.provide(MemoryOverviewReader, provides=OverviewReader)
    provider.provide(MemoryAuditLog, provides=AuditLog)
    provider.provide(MemoryAuditReader, provides=AuditReader)
    provider.provide(MemoryDiscardedObjects, provides=DiscardedObjects)
