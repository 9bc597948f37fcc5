"""The use cases, and the settings that they need."""

import asyncio
from hashlib import sha256
from random import SystemRandom

from dishka import Provider, Scope
from itsdangerous import Signer

from core.account_deletion.delete_account import DeleteAccount
from core.account_deletion.erase_account import EraseAccount
from core.account_deletion.erase_accounts import EraseAccounts
from core.account_deletion.export_account import ExportAccount
from core.accounts.edit_profile import EditProfile
from core.accounts.end_sessions import EndSessions
from core.accounts.make_admin import MakeAdmin
from core.accounts.purge_expired_sessions import PurgeExpiredSessions
from core.accounts.remove_admin import RemoveAdmin
from core.accounts.renew_session import RenewSession
from core.accounts.revoke_other_sessions import RevokeOtherSessions
from core.accounts.revoke_session import RevokeSession
from core.accounts.sign_in import IdentityKey, SignIn
from core.accounts.sign_out import SignOut
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.artwork_uploads.announce_uploads import AnnounceUploads
from core.artwork_uploads.arrived_uploads import ArrivedUploads
from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.create_style_from_uploads import CreateStyleFromUploads
from core.artwork_uploads.create_version import CreateVersion
from core.artwork_uploads.delete_upload import DeleteUpload
from core.artwork_uploads.finish_check import FinishCheck
from core.artwork_uploads.list_unused_uploads import ListUnusedUploads
from core.artwork_uploads.purge_unused_uploads import PurgeUnusedUploads
from core.blobs.allow_uploads import AllowUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.blobs.purge_orphans import OrphanAge, PurgeOrphans
from core.bonuses.grant_bonus import GrantBonus
from core.bonuses.take_bonus import TakeBonus
from core.community.delete_comment import DeleteComment
from core.community.edit_comment import EditComment
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.post_comment import PostComment
from core.community.unfollow_user import UnfollowUser
from core.community.unlike_generation import UnlikeGeneration
from core.dead_letters.redrive_tasks import RedriveTasks
from core.debts.forgive_debt import ForgiveDebt
from core.generations.cancel_generation import CancelGeneration
from core.generations.complete_generation import CompleteGeneration
from core.generations.edit_generation import EditGeneration
from core.generations.fail_generation import FailGeneration
from core.generations.fail_unresumed_generations import FailUnresumedGenerations, RetryGrace
from core.generations.publication import Publication
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import RequestGeneration
from core.generations.time_out_generations import GenerationTimeout, TimeOutGenerations
from core.generations.watch_generation import WatchGeneration
from core.live_events import StreamTiming, Watch
from core.moderation.allow_style import AllowStyle
from core.moderation.approve_training import ApproveTraining
from core.moderation.close_style import CloseStyle
from core.moderation.hide_image import HideImage
from core.moderation.image_hiding import ImageHiding
from core.moderation.reject_training import RejectTraining
from core.moderation.restore_user import RestoreUser
from core.moderation.suspend_user import SuspendUser
from core.moderation.suspension import Suspension
from core.moderation.unhide_image import UnhideImage
from core.notifications.mark_all_read import MarkAllRead
from core.notifications.mark_read import MarkRead
from core.notifications.purge_read_notifications import PurgeReadNotifications
from core.notifications.watch_notifications import WatchNotifications
from core.ports.database import DatabaseUsage
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.check_purchase import CheckPurchase
from core.purchases.expire_purchases import ExpirePurchases
from core.purchases.record_payment import RecordPayment
from core.purchases.refund import RefundPeriod
from core.purchases.refund_purchase import RefundPurchase
from core.purchases.request_refund import RequestRefund
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.reports.dismiss_report import DismissReport
from core.reports.model import ReportsToHide
from core.reports.resolution import Resolution
from core.reports.submit_report import SubmitReport
from core.reports.targets import ReportedComments, ReportedImages, ReportedStyles, ReportedUsers, Targets
from core.reports.uphold_report import UpholdReport
from core.styles.begin_training import BeginTraining, ReviewNearCopies
from core.styles.close_expired_styles import CloseExpiredStyles
from core.styles.complete_training import CompleteTraining
from core.styles.create_style import CreateStyle
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle
from core.styles.fail_training import FailTraining
from core.styles.new_style import StylesPerArtist
from core.styles.record_training_progress import RecordTrainingProgress
from core.styles.retrain_style import RetrainStyle
from core.styles.time_out_trainings import TimeOutTrainings, TrainingTimeout
from core.styles.watch_training import WatchTraining
from core.takedowns.carry_out_takedown import CarryOutTakedown
from core.takedowns.carry_out_takedowns import CarryOutTakedowns
from core.takedowns.withdraw_style import WithdrawStyle
from core.tasks.model import WebhookBase
from core.tasks.publish_tasks import PublishTasks
from core.tokens.export_statement import ExportStatement
from core.tokens.model import PayoutTerms, PlatformFee
from core.tokens.reconcile import Reconcile
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from entrypoints.http.dependencies import Dependencies
from entrypoints.maintenance import MaintenancePass
from entrypoints.settings import Settings
from entrypoints.tick import Tick


def use_cases() -> Provider:
    provider = Provider(scope=Scope.REQUEST)
    provider.from_context(Settings, scope=Scope.APP)
    provider.provide(_webhook_base, scope=Scope.APP)
    provider.provide(_styles_per_artist, scope=Scope.APP)
    provider.provide(_review_near_copies, scope=Scope.APP)
    provider.provide(_generation_timeout, scope=Scope.APP)
    provider.provide(_training_timeout, scope=Scope.APP)
    provider.provide(_retry_grace, scope=Scope.APP)
    provider.provide(_orphan_age, scope=Scope.APP)
    provider.provide(_platform_fee, scope=Scope.APP)
    provider.provide(_payout_terms, scope=Scope.APP)
    provider.provide(_reports_to_hide, scope=Scope.APP)
    provider.provide(_refund_period, scope=Scope.APP)
    provider.provide(_identity_key, scope=Scope.APP)
    provider.provide_all(
        SignIn,
        SignOut,
        RenewSession,
        RevokeSession,
        RevokeOtherSessions,
        EditProfile,
        UpgradeToArtist,
        MakeAdmin,
        RemoveAdmin,
        Suspension,
        SuspendUser,
        ImageHiding,
        HideImage,
        UnhideImage,
        CloseStyle,
        AllowStyle,
        BeginTraining,
        ApproveTraining,
        RejectTraining,
        RestoreUser,
        EndSessions,
        CreateStyle,
        AnnounceUploads,
        ArrivedUploads,
        CreateStyleFromUploads,
        CreateVersion,
        CheckArtworks,
        FinishCheck,
        ListUnusedUploads,
        DeleteUpload,
        PurgeUnusedUploads,
        EditStyle,
        DeleteStyle,
        RetrainStyle,
        RecordTrainingProgress,
        CompleteTraining,
        FailTraining,
        TimeOutTrainings,
        CloseExpiredStyles,
        WithdrawStyle,
        CarryOutTakedown,
        CarryOutTakedowns,
        RequestGeneration,
        CancelGeneration,
        RecordProgress,
        CompleteGeneration,
        FailGeneration,
        TimeOutGenerations,
        FailUnresumedGenerations,
        Publication,
        EditGeneration,
        StartPurchase,
        RecordPayment,
        SettlePurchase,
        CheckPurchase,
        ExpirePurchases,
        RequestRefund,
        RefundPurchase,
        CarryOutRefunds,
        ForgiveDebt,
        GrantBonus,
        TakeBonus,
        RequestWithdrawal,
        SettleWithdrawal,
        RejectWithdrawal,
        ExportStatement,
        RedriveTasks,
        MarkRead,
        MarkAllRead,
        PurgeReadNotifications,
        Watch,
        WatchGeneration,
        WatchTraining,
        WatchNotifications,
        PurgeExpiredSessions,
        DeleteAccount,
        EraseAccount,
        EraseAccounts,
        DeleteDiscardedObjects,
        PurgeOrphans,
        AllowUploads,
        MaintenancePass,
        Tick,
        FollowUser,
        UnfollowUser,
        LikeGeneration,
        UnlikeGeneration,
        PostComment,
        EditComment,
        DeleteComment,
        ReportedImages,
        ReportedStyles,
        ReportedComments,
        ReportedUsers,
        Targets,
        Resolution,
        SubmitReport,
        UpholdReport,
        DismissReport,
    )
    provider.provide(_stream_timing, scope=Scope.APP)
    provider.provide(Dependencies, scope=Scope.APP)
    provider.provide(PublishTasks, scope=Scope.APP)
    provider.provide(Reconcile, scope=Scope.APP)
    provider.provide(ExportAccount)
    provider.provide(_usage)
    return provider


def _webhook_base(settings: Settings) -> WebhookBase:
    return WebhookBase(settings.api_base_url)


def _styles_per_artist(settings: Settings) -> StylesPerArtist:
    return StylesPerArtist(settings.styles_per_artist)


def _review_near_copies(settings: Settings) -> ReviewNearCopies:
    return ReviewNearCopies(settings.review_near_copies == "on")


def _generation_timeout(settings: Settings) -> GenerationTimeout:
    return GenerationTimeout(settings.generation_timeout)


def _retry_grace(settings: Settings) -> RetryGrace:
    return RetryGrace(settings.retry_grace)


def _usage() -> DatabaseUsage:
    return DatabaseUsage()


def _training_timeout(settings: Settings) -> TrainingTimeout:
    return TrainingTimeout(settings.training_timeout)


def _stream_timing(settings: Settings) -> StreamTiming:
    """Streams use half of the database's connections at most, so that other calls do not wait for them."""
    return StreamTiming(chance=SystemRandom().random, turn=asyncio.Semaphore(max(1, settings.database_pool_size // 2)))


def _orphan_age(settings: Settings) -> OrphanAge:
    return OrphanAge(settings.orphan_age)


def _platform_fee(settings: Settings) -> PlatformFee:
    return PlatformFee(settings.platform_fee_percent)


def _payout_terms(settings: Settings) -> PayoutTerms:
    return PayoutTerms(settings.payout_delay, settings.withdrawal_min)


def _reports_to_hide(settings: Settings) -> ReportsToHide:
    return ReportsToHide(settings.reports_to_hide)


def _refund_period(settings: Settings) -> RefundPeriod:
    return RefundPeriod(settings.refund_period)


def _identity_key(settings: Settings) -> IdentityKey:
    signer = Signer(settings.signing_secret(), "erased identities", key_derivation="hmac", digest_method=sha256)
    return IdentityKey(signer.derive_key())
