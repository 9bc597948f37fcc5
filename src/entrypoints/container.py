"""The composition root: which adapter stands behind which port. The only importer of adapters.

Adapters are imported where they are chosen, so that a part that is not used costs nothing at the start.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from dishka import AnyOf, AsyncContainer, Provider, Scope, make_async_container

from adapters.task_source import TaskSource
from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.erase_account import EraseAccount
from core.account_deletion.erase_accounts import EraseAccounts
from core.account_deletion.export_account import ExportAccount
from core.account_deletion.repository import PersonalData
from core.account_deletion.views import ExportReader
from core.accounts.drop_expired_sessions import DropExpiredSessions
from core.accounts.edit_profile import EditProfile
from core.accounts.make_admin import MakeAdmin
from core.accounts.repository import Sessions, Users
from core.accounts.sign_in import IdentityKey, SignIn
from core.accounts.sign_out import SignOut
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.accounts.views import AccountsReader
from core.blobs.drop_orphans import DropOrphans, OrphanAge
from core.blobs.remove_unwanted_blobs import RemoveUnwantedBlobs
from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import PostComment
from core.community.repository import Comments, Follows, Likes
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.community.views import CommunityReader
from core.dead_letters.redrive_tasks import RedriveTasks
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.record_progress import RecordProgress
from core.generations.repository import Generations
from core.generations.request_generation import RequestGeneration
from core.generations.time_out_generations import GenerationTimeout, TimeOutGenerations
from core.generations.views import GenerationsReader
from core.generations.watch_generation import WatchGeneration
from core.live_events import Pace, Watch
from core.notifications.drop_old_notifications import DropOldNotifications
from core.notifications.mark_all_read import MarkAllRead
from core.notifications.mark_read import MarkRead
from core.notifications.repository import Notifications
from core.notifications.views import NotificationsReader
from core.notifications.watch_notifications import WatchNotifications
from core.ports.blob_store import BlobStore
from core.ports.books import Books
from core.ports.broker import Broker
from core.ports.changes import Changes
from core.ports.clock import Clock
from core.ports.database import Database
from core.ports.dead_letters import DeadLetters
from core.ports.idempotency import Idempotency
from core.ports.identity_provider import IdentityProvider
from core.ports.ids import Ids
from core.ports.images import Images
from core.ports.media_files import MediaFiles
from core.ports.notifier import Notifier
from core.ports.orphaned_blobs import OrphanedBlobs
from core.ports.outbox import Outbox
from core.ports.payment_provider import PaymentProvider
from core.ports.rate_limiter import RateLimiter
from core.ports.secrets import Secrets
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs
from core.purchases.check_purchase import CheckPurchase
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.record_payment import RecordPayment
from core.purchases.repository import Purchases
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import PurchasesReader
from core.search.fold_tags import FoldTags
from core.search.repository import TagCounts
from core.search.views import SearchReader
from core.styles.complete_training import CompleteTraining
from core.styles.create_style import CreateStyle, StylesPerArtist
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle
from core.styles.fail_training import FailTraining
from core.styles.fold_uses import FoldUses
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.repository import Styles
from core.styles.retrain_style import RetrainStyle
from core.styles.time_out_trainings import TimeOutTrainings, TrainingTimeout
from core.styles.views import StylesReader
from core.styles.watch_training import WatchTraining
from core.tasks.model import WebhookBase
from core.tasks.publish_tasks import PublishTasks
from core.tasks.views import BacklogReader
from core.tokens.fold_balances import FoldBalances
from core.tokens.model import PlatformFee
from core.tokens.reconcile import Reconcile
from core.tokens.views import TokensReader
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.repository import Withdrawals
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from core.withdrawals.views import WithdrawalsReader
from entrypoints.settings import Settings
from entrypoints.sweep import Sweep
from entrypoints.tick import Tick

if TYPE_CHECKING:
    from adapters.development.embedded_postgres import EmbeddedPostgres
    from adapters.development.simulated_ai.servers import SimulatedAIServers
    from adapters.development.stand_in import ASGIApp


def create_container(settings: Settings, *overrides: Provider) -> AsyncContainer:
    """The service's parts as the settings choose them; what `overrides` provide comes instead."""
    return make_async_container(
        use_cases(),
        system(),
        postgres() if settings.database_url else memory(),
        rabbitmq() if settings.rabbitmq else in_process_queues(),
        cloud_storage() if settings.gcs_bucket_name else folder(),
        openid(),
        toss() if settings.toss else no_payments(),
        *overrides,
        context={Settings: settings},
    )


def use_cases() -> Provider:
    provider = Provider(scope=Scope.REQUEST)
    provider.from_context(Settings, scope=Scope.APP)
    provider.provide(_webhook_base, scope=Scope.APP)
    provider.provide(_styles_per_artist, scope=Scope.APP)
    provider.provide(_generation_timeout, scope=Scope.APP)
    provider.provide(_training_timeout, scope=Scope.APP)
    provider.provide(_orphan_age, scope=Scope.APP)
    provider.provide(_platform_fee, scope=Scope.APP)
    provider.provide(_identity_key, scope=Scope.APP)
    provider.provide_all(
        SignIn,
        SignOut,
        EditProfile,
        UpgradeToArtist,
        MakeAdmin,
        CreateStyle,
        EditStyle,
        DeleteStyle,
        RetrainStyle,
        RecordTrainingProgress,
        CompleteTraining,
        FailTraining,
        TimeOutTrainings,
        RequestGeneration,
        CancelGeneration,
        RecordProgress,
        CompleteGeneration,
        FailGeneration,
        TimeOutGenerations,
        EditGeneration,
        StartPurchase,
        RecordPayment,
        SettlePurchase,
        CheckPurchase,
        ExpirePurchases,
        RequestWithdrawal,
        SettleWithdrawal,
        RejectWithdrawal,
        FoldBalances,
        FoldUses,
        FoldTags,
        RedriveTasks,
        MarkRead,
        MarkAllRead,
        DropOldNotifications,
        Watch,
        WatchGeneration,
        WatchTraining,
        WatchNotifications,
        DropExpiredSessions,
        DeleteAccount,
        EraseAccount,
        EraseAccounts,
        RemoveUnwantedBlobs,
        DropOrphans,
        Sweep,
        Tick,
        FollowUser,
        UnfollowUser,
        LikeGeneration,
        UnlikeGeneration,
        PostComment,
        EditComment,
        DeleteComment,
    )
    provider.provide(_pace, scope=Scope.APP)
    provider.provide(PublishTasks, scope=Scope.APP)
    provider.provide(Reconcile, scope=Scope.APP)
    provider.provide(ExportAccount, scope=Scope.APP)
    return provider


def _webhook_base(settings: Settings) -> WebhookBase:
    return WebhookBase(settings.api_base_url)


def _styles_per_artist(settings: Settings) -> StylesPerArtist:
    return StylesPerArtist(settings.styles_per_artist)


def _generation_timeout(settings: Settings) -> GenerationTimeout:
    return GenerationTimeout(settings.generation_timeout)


def _training_timeout(settings: Settings) -> TrainingTimeout:
    return TrainingTimeout(settings.training_timeout)


def _pace(settings: Settings) -> Pace:
    """Streams have half of the database's connections at most; calls have the others to themselves."""
    return Pace(chance=SystemRandom().random, turn=asyncio.Semaphore(max(1, settings.database_pool_size // 2)))


def _orphan_age(settings: Settings) -> OrphanAge:
    return OrphanAge(settings.orphan_age)


def _platform_fee(settings: Settings) -> PlatformFee:
    return PlatformFee(settings.platform_fee_percent)


def _identity_key(settings: Settings) -> IdentityKey:
    return IdentityKey(hmac.digest((settings.secret_key or "").encode(), b"erased identities", "sha256"))


def system() -> Provider:
    from adapters.pillow.images import PillowImages
    from adapters.system.clock import SystemClock
    from adapters.system.secrets import SystemSecrets

    provider = Provider(scope=Scope.APP)
    provider.provide(SystemClock, provides=Clock)
    provider.provide(SystemSecrets, provides=Secrets)
    provider.provide(PillowImages, provides=Images)
    return provider


def postgres() -> Provider:  # noqa: PLR0915 - a list, not a procedure
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
    from adapters.postgres.pool import Pool, create_pool
    from adapters.postgres.purchases import PostgresPurchases, PostgresPurchasesReader
    from adapters.postgres.rate_limits import PostgresRateLimiter
    from adapters.postgres.search import PostgresSearchReader, PostgresTagCounts
    from adapters.postgres.styles import PostgresStyles, PostgresStylesReader
    from adapters.postgres.tasks import PostgresOutbox, PostgresTaskQueue
    from adapters.postgres.tokens import PostgresTokenLedger, PostgresTokensReader
    from adapters.postgres.transaction import PostgresTransaction
    from adapters.postgres.unwanted_blobs import PostgresUnwantedBlobs
    from adapters.postgres.withdrawals import PostgresWithdrawals, PostgresWithdrawalsReader

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
    provider.provide(PostgresIdempotency, provides=Idempotency, scope=app)
    provider.provide(PostgresRateLimiter, provides=RateLimiter, scope=app)
    provider.provide(listener, scope=app)
    provider.provide(waiting_tasks, provides=AnyOf[PostgresOutbox, Outbox], scope=app)
    provider.provide(PostgresChanges, provides=Changes, scope=app)
    provider.provide(PostgresAccountsReader, provides=AccountsReader, scope=app)
    provider.provide(PostgresExportReader, provides=ExportReader, scope=app)
    provider.provide(PostgresTokensReader, provides=TokensReader, scope=app)
    provider.provide(PostgresPurchasesReader, provides=PurchasesReader, scope=app)
    provider.provide(PostgresWithdrawalsReader, provides=WithdrawalsReader, scope=app)
    provider.provide(PostgresBooks, provides=Books, scope=app)
    provider.provide(PostgresOrphanedBlobs, provides=OrphanedBlobs, scope=app)
    provider.provide(PostgresBacklogReader, provides=BacklogReader, scope=app)
    provider.provide(PostgresStylesReader, provides=StylesReader, scope=app)
    provider.provide(PostgresSearchReader, provides=SearchReader, scope=app)
    provider.provide(PostgresGenerationsReader, provides=GenerationsReader, scope=app)
    provider.provide(PostgresNotificationsReader, provides=NotificationsReader, scope=app)
    provider.provide(PostgresCommunityReader, provides=CommunityReader, scope=app)
    provider.provide(PostgresTransaction, provides=AnyOf[PostgresTransaction, Transaction], scope=request)
    provider.provide(PostgresUsers, provides=Users, scope=request)
    provider.provide(PostgresSessions, provides=Sessions, scope=request)
    provider.provide(PostgresPersonalData, provides=PersonalData, scope=request)
    provider.provide(PostgresTokenLedger, provides=TokenLedger, scope=request)
    provider.provide(PostgresPurchases, provides=Purchases, scope=request)
    provider.provide(PostgresWithdrawals, provides=Withdrawals, scope=request)
    provider.provide(PostgresStyles, provides=Styles, scope=request)
    provider.provide(PostgresGenerations, provides=Generations, scope=request)
    provider.provide(PostgresTagCounts, provides=TagCounts, scope=request)
    provider.provide(PostgresNotifier, provides=Notifier, scope=request)
    provider.provide(PostgresNotifications, provides=Notifications, scope=request)
    provider.provide(PostgresFollows, provides=Follows, scope=request)
    provider.provide(PostgresLikes, provides=Likes, scope=request)
    provider.provide(PostgresComments, provides=Comments, scope=request)
    provider.provide(PostgresTaskQueue, provides=TaskQueue, scope=request)
    provider.provide(PostgresUnwantedBlobs, provides=UnwantedBlobs, scope=request)
    return provider


def memory() -> Provider:  # noqa: PLR0915 - a list, not a procedure
    from adapters.memory.account_deletion import MemoryPersonalData
    from adapters.memory.accounts import MemoryAccountsReader, MemorySessions, MemoryUsers
    from adapters.memory.backlog import MemoryBacklogReader
    from adapters.memory.books import MemoryBooks
    from adapters.memory.community import MemoryComments, MemoryCommunityReader, MemoryFollows, MemoryLikes
    from adapters.memory.database import MemoryDatabase
    from adapters.memory.export import MemoryExportReader
    from adapters.memory.generations import MemoryGenerations, MemoryGenerationsReader
    from adapters.memory.idempotency import MemoryIdempotency
    from adapters.memory.ids import MemoryIds
    from adapters.memory.notifications import MemoryNotifications, MemoryNotificationsReader, MemoryNotifier
    from adapters.memory.orphaned_blobs import MemoryOrphanedBlobs
    from adapters.memory.purchases import MemoryPurchases, MemoryPurchasesReader
    from adapters.memory.rate_limits import MemoryRateLimiter
    from adapters.memory.search import MemorySearchReader, MemoryTagCounts
    from adapters.memory.styles import MemoryStyles, MemoryStylesReader
    from adapters.memory.tasks import MemoryOutbox, MemoryTaskQueue
    from adapters.memory.tokens import MemoryTokenLedger, MemoryTokensReader
    from adapters.memory.transaction import MemoryTransaction
    from adapters.memory.unwanted_blobs import MemoryUnwantedBlobs
    from adapters.memory.withdrawals import MemoryWithdrawals, MemoryWithdrawalsReader

    def changes(database: MemoryDatabase) -> Changes:
        return database.changes

    app, request = Scope.APP, Scope.REQUEST
    provider = Provider()
    provider.provide(MemoryDatabase, provides=AnyOf[MemoryDatabase, Database], scope=app)
    provider.provide(changes, scope=app)
    provider.provide(MemoryIds, provides=Ids, scope=app)
    provider.provide(MemoryIdempotency, provides=Idempotency, scope=app)
    provider.provide(MemoryRateLimiter, provides=RateLimiter, scope=app)
    provider.provide(MemoryOutbox, provides=AnyOf[MemoryOutbox, Outbox], scope=app)
    provider.provide(MemoryAccountsReader, provides=AccountsReader, scope=app)
    provider.provide(MemoryExportReader, provides=ExportReader, scope=app)
    provider.provide(MemoryTokensReader, provides=TokensReader, scope=app)
    provider.provide(MemoryPurchasesReader, provides=PurchasesReader, scope=app)
    provider.provide(MemoryWithdrawalsReader, provides=WithdrawalsReader, scope=app)
    provider.provide(MemoryBooks, provides=Books, scope=app)
    provider.provide(MemoryOrphanedBlobs, provides=OrphanedBlobs, scope=app)
    provider.provide(MemoryBacklogReader, provides=BacklogReader, scope=app)
    provider.provide(MemoryStylesReader, provides=StylesReader, scope=app)
    provider.provide(MemorySearchReader, provides=SearchReader, scope=app)
    provider.provide(MemoryGenerationsReader, provides=GenerationsReader, scope=app)
    provider.provide(MemoryNotificationsReader, provides=NotificationsReader, scope=app)
    provider.provide(MemoryCommunityReader, provides=CommunityReader, scope=app)
    provider.provide(MemoryTransaction, provides=AnyOf[MemoryTransaction, Transaction], scope=request)
    provider.provide(MemoryUsers, provides=Users, scope=request)
    provider.provide(MemorySessions, provides=Sessions, scope=request)
    provider.provide(MemoryPersonalData, provides=PersonalData, scope=request)
    provider.provide(MemoryTokenLedger, provides=TokenLedger, scope=request)
    provider.provide(MemoryPurchases, provides=Purchases, scope=request)
    provider.provide(MemoryWithdrawals, provides=Withdrawals, scope=request)
    provider.provide(MemoryStyles, provides=Styles, scope=request)
    provider.provide(MemoryGenerations, provides=Generations, scope=request)
    provider.provide(MemoryTagCounts, provides=TagCounts, scope=request)
    provider.provide(MemoryNotifier, provides=Notifier, scope=request)
    provider.provide(MemoryNotifications, provides=Notifications, scope=request)
    provider.provide(MemoryFollows, provides=Follows, scope=request)
    provider.provide(MemoryLikes, provides=Likes, scope=request)
    provider.provide(MemoryComments, provides=Comments, scope=request)
    provider.provide(MemoryTaskQueue, provides=TaskQueue, scope=request)
    provider.provide(MemoryUnwantedBlobs, provides=UnwantedBlobs, scope=request)
    return provider


def rabbitmq() -> Provider:
    from adapters.rabbitmq.broker import RabbitMQBroker
    from adapters.rabbitmq.connection import Address
    from adapters.rabbitmq.consumer import RabbitMQTaskSource
    from adapters.rabbitmq.dead_letters import RabbitMQDeadLetters

    def address(settings: Settings) -> Address:
        chosen = settings.rabbitmq
        if chosen is None:
            raise ValueError("no RabbitMQ in the settings")
        return Address(chosen.host, chosen.port, chosen.user, chosen.password, chosen.vhost)

    async def broker(address: Address) -> AsyncIterator[RabbitMQBroker]:
        opened = RabbitMQBroker(address)
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(address)
    provider.provide(broker, provides=Broker)
    provider.provide(RabbitMQTaskSource, provides=TaskSource)
    provider.provide(RabbitMQDeadLetters, provides=DeadLetters)
    return provider


def in_process_queues() -> Provider:
    from adapters.filesystem.broker import FilesystemBroker
    from adapters.memory.dead_letters import MemoryDeadLetters

    def broker(settings: Settings) -> Iterator[FilesystemBroker]:
        opened = FilesystemBroker(settings.data_dir / "queues")
        yield opened
        opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(broker, provides=AnyOf[Broker, TaskSource])
    provider.provide(MemoryDeadLetters, provides=DeadLetters)
    return provider


def openid() -> Provider:
    from adapters.google.identity_provider import OpenIDIdentityProvider

    def identity_provider(settings: Settings) -> OpenIDIdentityProvider:
        client = settings.google
        if client is None:
            raise ValueError("no OpenID client in the settings")
        return OpenIDIdentityProvider("google", client.client_id, client.client_secret, client.discovery_url)

    provider = Provider(scope=Scope.APP)
    provider.provide(identity_provider, provides=IdentityProvider)
    return provider


def toss() -> Provider:
    from adapters.toss.payment_provider import TossPayments

    async def payments(settings: Settings) -> AsyncIterator[PaymentProvider]:
        if settings.toss is None:
            raise ValueError("no Toss Payments in the settings")
        opened = TossPayments(
            settings.toss.secret_key,
            return_url=f"{settings.api_base_url}/api/payments/toss",
            api_base=settings.toss.api_base,
        )
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(payments)
    return provider


def no_payments() -> Provider:
    from adapters.no_payments.payment_provider import NoPayments

    provider = Provider(scope=Scope.APP)
    provider.provide(NoPayments, provides=PaymentProvider)
    return provider


def folder() -> Provider:
    from adapters.filesystem.blobs import FilesystemBlobStore

    def blobs(settings: Settings, clock: Clock) -> FilesystemBlobStore:
        return FilesystemBlobStore(
            settings.data_dir / "media",
            clock,
            base_url=settings.api_base_url,
            secret=(settings.secret_key or "").encode(),
        )

    provider = Provider(scope=Scope.APP)
    provider.provide(blobs, provides=AnyOf[BlobStore, MediaFiles])
    return provider


def cloud_storage() -> Provider:
    from adapters.gcs.blobs import GcsBlobStore

    async def blobs(settings: Settings) -> AsyncIterator[BlobStore]:
        opened = GcsBlobStore(settings.gcs_bucket_name or "", emulator=settings.storage_emulator_host)
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(blobs)
    return provider


async def simulated_ai_servers(container: AsyncContainer, settings: Settings) -> "SimulatedAIServers":
    """AI servers for development, on the broker and the store that the settings choose."""
    from adapters.development.simulated_ai.pace import Pace
    from adapters.development.simulated_ai.servers import SimulatedAIServers

    return SimulatedAIServers(
        await container.get(TaskSource), await container.get(BlobStore), settings.internal_api_token or "", Pace()
    )


def with_stand_ins(app: "ASGIApp", settings: Settings, *, sign_in: str | None, payments: str | None) -> "ASGIApp":
    """The application with stand-ins for Google and Toss Payments below the paths that are given, for development."""
    if sign_in:
        app = _with_local_sign_in(app, settings, sign_in)
    return _with_sandbox_payments(app, settings, payments) if payments else app


def _with_local_sign_in(app: "ASGIApp", settings: Settings, path: str) -> "ASGIApp":
    from adapters.development.local_openid.app import WithLocalOpenID
    from adapters.development.local_openid.provider import LocalOpenIDProvider

    if settings.google is None or settings.production:
        raise ValueError("no client of a local provider in the settings")
    provider = LocalOpenIDProvider(
        issuer=f"{settings.api_base_url}{path}",
        client_id=settings.google.client_id,
        client_secret=settings.google.client_secret,
        redirect_uri=f"{settings.api_base_url}/api/auth/google/callback",
    )
    return WithLocalOpenID(app, provider, path=path)


def _with_sandbox_payments(app: "ASGIApp", settings: Settings, path: str) -> "ASGIApp":
    from adapters.development.payment_sandbox.app import WithSandboxPayments
    from adapters.development.payment_sandbox.provider import SandboxPayments

    if settings.toss is None or settings.production:
        raise ValueError("no key of a sandbox in the settings")
    provider = SandboxPayments(secret_key=settings.toss.secret_key, url=f"{settings.api_base_url}{path}")
    return WithSandboxPayments(app, provider, path=path)


def embedded_database(directory: Path) -> "EmbeddedPostgres":
    """A database server for development."""
    from adapters.development.embedded_postgres import EmbeddedPostgres

    return EmbeddedPostgres(directory)


def upgrade_database(url: str) -> str:
    """Run the migrations that are missing; the revision that the database is at then."""
    from adapters.postgres import migrate

    migrate.upgrade(url)
    return migrate.current(url)


def database_is_behind(url: str) -> bool:
    """Whether migrations are missing."""
    from adapters.postgres import migrate

    return migrate.is_behind(url)
