from datetime import datetime
from enum import Enum
from typing import NewType

import msgspec

from core.errors import ValidationError
from core.identifiers import ReportId, UserId
from core.reports.errors import OwnContentReported, ReportResolved
from core.text import parse_free_text, problem_of_free_text

MAX_TEXT = 1000

ReportsToHide = NewType("ReportsToHide", int)
"""Open reports of a target that hide it until an admin decides; 0: none do."""


class TargetType(Enum):
    GENERATION = "generation"
    STYLE = "style"
    COMMENT = "comment"
    USER = "user"


class ReportReason(Enum):
    SPAM = "spam"
    HARASSMENT = "harassment"
    HATE = "hate"
    SEXUAL = "sexual"
    VIOLENCE = "violence"
    COPYRIGHT = "copyright"
    OTHER = "other"


class ReportStatus(Enum):
    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class Target(msgspec.Struct, frozen=True):
    """What is reported."""

    type: TargetType
    id: int


class Report(msgspec.Struct, frozen=True):
    """What one person reports of one target; an admin decides on all open reports of a target at once."""

    id: ReportId
    reporter_id: UserId | None
    """None once the reporter's account is deleted."""
    target: Target
    owner_id: UserId
    """The owner of the target; of a user, the user."""
    reason: ReportReason
    text: str | None
    created_at: datetime
    shown_before: bool | None = None
    """Of the report that hid the target: whether the target was shown until then. None of all others."""
    status: ReportStatus = ReportStatus.OPEN
    ended_at: datetime | None = None
    ended_by: UserId | None = None
    """The admin; None for a command without a named admin."""

    def check_resolvable(self, *, by: UserId | None) -> None:
        """Raises ReportResolved or OwnContentReported."""
        if self.status is not ReportStatus.OPEN:
            raise ReportResolved
        if by == self.owner_id:
            raise OwnContentReported

    def resolve(self, status: ReportStatus, *, at: datetime, by: UserId | None) -> "Report":
        return msgspec.structs.replace(self, status=status, ended_at=at, ended_by=by)


def parse_text(text: str | None) -> str | None:
    """A report's text as it is stored. Raises ValidationError."""
    parsed = parse_free_text(text or "")
    if problem := problem_of_free_text(parsed, limit=MAX_TEXT):
        raise ValidationError(text=problem)
    return parsed if parsed.strip() else None
