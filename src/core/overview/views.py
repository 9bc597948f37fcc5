"""An overview for operators."""

from datetime import datetime
from typing import Protocol

import msgspec


class Overview(msgspec.Struct, frozen=True):
    """What is waiting now, and what happened since a given time."""

    pending_withdrawals: int
    pending_withdrawal_tokens: int
    open_refunds: int
    """Purchases whose money the payment provider is asked to give back."""
    open_reports: int
    due_tasks: int
    """Tasks that are due and not published."""
    unended_generations: int
    open_trainings: int
    """Versions of styles that wait for their training or are in it."""
    stalled_trainings: int
    """Those of them without activity since `stalled_since`."""
    styles_in_review: int
    """Those of them that wait for an admin, see `Review`."""
    suspended_users: int
    sales: int
    """Purchases that were paid."""
    sold_tokens: int
    generations_requested: int
    generations_completed: int
    generations_failed: int


class OverviewReader(Protocol):
    async def overview(self, *, now: datetime, since: datetime, stalled_since: datetime) -> Overview: ...
