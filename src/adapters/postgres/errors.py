from core.accounts.errors import AlreadyArtist, ArtistNameTaken, IdentityTaken, UsernameTaken, UserNotFound
from core.community.errors import CommentNotFound, DuplicateFollow, DuplicateLike
from core.errors import DomainError
from core.generations.errors import GenerationNotFound, ResultTaken
from core.notifications.errors import NotificationNotFound
from core.purchases.errors import PaymentMismatch, PurchaseNotFound
from core.reports.errors import AlreadyReported
from core.styles.errors import DuplicateStyleName, StyleNotFound, StyleNotReady, VersionInTraining
from core.tokens.errors import AccountNotFound, DebtOutstanding, DuplicateTransfer, HoldAlreadyResolved, HoldNotFound
from core.withdrawals.errors import WithdrawalNotFound, WithdrawalPending

REFUSALS: dict[str, type[DomainError]] = {
    # constraints of the schema
    "fk_artists_user_id": UserNotFound,
    "fk_artwork_uploads_artist_id": UserNotFound,
    "fk_comments_author_id": UserNotFound,
    "fk_follows_followed_id": UserNotFound,
    "fk_follows_follower_id": UserNotFound,
    "fk_generations_owner_id": UserNotFound,
    "fk_generations_style_id_artist_id": StyleNotFound,
    "fk_idempotency_keys_user_id": UserNotFound,
    "fk_likes_user_id": UserNotFound,
    "fk_notifications_actor_id": UserNotFound,
    "fk_notifications_recipient_id": UserNotFound,
    "fk_reports_owner_id": UserNotFound,
    "fk_reports_reporter_id": UserNotFound,
    "fk_sessions_user_id": UserNotFound,
    "fk_style_versions_style_id": StyleNotFound,
    "fk_styles_artist_id": UserNotFound,
    "accounts_in_debt_spend_nothing": DebtOutstanding,
    "pk_artist_texts": AlreadyArtist,
    "pk_artists": AlreadyArtist,
    "pk_follows": DuplicateFollow,
    "pk_likes": DuplicateLike,
    "uq_artists_name_key": ArtistNameTaken,
    "uq_generations_result_key": ResultTaken,
    "uq_purchases_payment_key": PaymentMismatch,
    "uq_reports_reporter_id_target_type_target_id": AlreadyReported,
    "uq_style_versions_in_training": VersionInTraining,
    "uq_styles_artist_id_name_key": DuplicateStyleName,
    "uq_transfers_hold_id": HoldAlreadyResolved,
    "uq_transfers_reference": DuplicateTransfer,
    "uq_users_provider_subject": IdentityTaken,
    "uq_users_username": UsernameTaken,
    "uq_withdrawals_pending": WithdrawalPending,
    # rules of a Write
    "account_found": AccountNotFound,
    "comment_found": CommentNotFound,
    "generations_of_offered_style": StyleNotReady,
    "generation_found": GenerationNotFound,
    "hold_found": HoldNotFound,
    "notification_found": NotificationNotFound,
    "purchase_found": PurchaseNotFound,
    "style_found": StyleNotFound,
    "user_found": UserNotFound,
    "version_found": StyleNotFound,
    "withdrawal_found": WithdrawalNotFound,
}
"""The domain error of a violated constraint or rule, by name."""
