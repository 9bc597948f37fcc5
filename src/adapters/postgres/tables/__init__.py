"""Declarations of the schema that the migrations create. Not imported at run time; queries are written by hand.

Triggers and functions, and what each constraint is for, are in schema.sql.
"""

from adapters.postgres.tables.accounts import ArtistRow, ErasedIdentityRow, SessionRow, UserRow
from adapters.postgres.tables.artwork_uploads import ArtworkCheckRow, ArtworkUploadRow
from adapters.postgres.tables.audit import AuditLogRow
from adapters.postgres.tables.base import Row
from adapters.postgres.tables.community import CommentRow, FollowRow, LikeRow
from adapters.postgres.tables.discarded_objects import DiscardedObjectRow
from adapters.postgres.tables.generations import GenerationRow
from adapters.postgres.tables.idempotency import IdempotencyKeyRow
from adapters.postgres.tables.notifications import NotificationRow
from adapters.postgres.tables.orphaned_blobs import BlobWalkRow
from adapters.postgres.tables.purchases import PurchaseRow
from adapters.postgres.tables.rate_limits import RateLimitRow
from adapters.postgres.tables.reconciliations import ReconciliationRow
from adapters.postgres.tables.reports import ReportRow
from adapters.postgres.tables.search import ArtistTextsRow, StyleTextsRow
from adapters.postgres.tables.styles import ArtworkRow, StyleRow, StyleUseRow, StyleVersionRow
from adapters.postgres.tables.tags import StyleTagDeltaRow, StyleTagRow, TagDeltaRow, TagRow
from adapters.postgres.tables.tasks import OutboxRow
from adapters.postgres.tables.tokens import AccountRow, BalanceDeltaRow, TransferRow
from adapters.postgres.tables.withdrawals import WithdrawalRow

__all__ = [
    "AccountRow",
    "ArtistRow",
    "ArtistTextsRow",
    "ArtworkCheckRow",
    "ArtworkRow",
    "ArtworkUploadRow",
    "AuditLogRow",
    "BalanceDeltaRow",
    "BlobWalkRow",
    "CommentRow",
    "DiscardedObjectRow",
    "ErasedIdentityRow",
    "FollowRow",
    "GenerationRow",
    "IdempotencyKeyRow",
    "LikeRow",
    "NotificationRow",
    "OutboxRow",
    "PurchaseRow",
    "RateLimitRow",
    "ReconciliationRow",
    "ReportRow",
    "Row",
    "SessionRow",
    "StyleRow",
    "StyleTagDeltaRow",
    "StyleTagRow",
    "StyleTextsRow",
    "StyleUseRow",
    "StyleVersionRow",
    "TagDeltaRow",
    "TagRow",
    "TransferRow",
    "UserRow",
    "WithdrawalRow",
]
