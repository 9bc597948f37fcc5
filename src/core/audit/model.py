from datetime import datetime
from enum import Enum

import msgspec

from core.audit.errors import AdminRequired
from core.errors import ValidationError
from core.identifiers import UserId
from core.problems import blank_or_too_long
from core.text import parse_free_text, problem_of_free_text

MAX_REASON = 500


class Source(Enum):
    """Where an administrative action was called."""

    API = "api"
    CONSOLE = "console"
    COMMAND = "command"


class Action(Enum):
    ADMIN_MADE = "admin.made"
    ADMIN_REMOVED = "admin.removed"
    BONUS_GRANTED = "bonus.granted"
    BONUS_TAKEN = "bonus.taken"
    COMMENT_DELETED = "comment.deleted"
    DEBT_FORGIVEN = "debt.forgiven"
    IMAGE_HIDDEN = "image.hidden"
    IMAGE_UNHIDDEN = "image.unhidden"
    PURCHASE_REFUNDED = "purchase.refunded"
    REPORT_DISMISSED = "report.dismissed"
    REPORT_UPHELD = "report.upheld"
    STATEMENT_EXPORTED = "statement.exported"
    STYLE_ALLOWED = "style.allowed"
    STYLE_CLOSED = "style.closed"
    STYLE_WITHDRAWN = "style.withdrawn"
    TASKS_REDRIVEN = "tasks.redriven"
    TRAINING_APPROVED = "training.approved"
    TRAINING_REJECTED = "training.rejected"
    USER_RESTORED = "user.restored"
    USER_SESSIONS_ENDED = "user.sessions_ended"
    USER_SUSPENDED = "user.suspended"
    WITHDRAWAL_REJECTED = "withdrawal.rejected"
    WITHDRAWAL_SETTLED = "withdrawal.settled"


class Operator(msgspec.Struct, frozen=True):
    """On whose behalf an administrative use case runs."""

    admin_id: UserId | None
    """None for a command without a named admin."""
    source: Source = Source.API
    account: str | None = None
    """The operating system's account, for a command."""
    trace_id: str | None = None

    @property
    def admin(self) -> UserId:
        """Raises AdminRequired."""
        if self.admin_id is None:
            raise AdminRequired
        return self.admin_id


class AuditEntry(msgspec.Struct, frozen=True):
    """One administrative action. It names people by id only."""

    operator: Operator
    action: Action
    target_type: str
    target_id: str | None
    """None for an action on no single thing."""
    at: datetime
    before: dict[str, object] | None = None
    """The fields that were changed, as they were."""
    after: dict[str, object] | None = None
    reason: str | None = None


def parse_reason(text: str) -> str:
    """The reason of an action as it is stored. Raises ValidationError."""
    reason = parse_free_text(text)
    if len(reason) > MAX_REASON or not reason.strip():
        raise ValidationError(reason=blank_or_too_long(MAX_REASON))
    if problem := problem_of_free_text(reason, limit=MAX_REASON):
        raise ValidationError(reason=problem)
    return reason
