import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from dishka import AsyncContainer

from core.account_deletion.erase_accounts import EraseAccounts
from core.accounts.purge_expired_sessions import PurgeExpiredSessions
from core.artwork_uploads.check_artworks import CheckArtworks
from core.artwork_uploads.purge_unused_uploads import PurgeUnusedUploads
from core.blobs.delete_discarded_objects import DeleteDiscardedObjects
from core.blobs.purge_orphans import PurgeOrphans
from core.errors import DomainError
from core.generations.fail_unresumed_generations import FailUnresumedGenerations
from core.generations.time_out_generations import TimeOutGenerations
from core.notifications.purge_read_notifications import PurgeReadNotifications
from core.ports.idempotency import Answers
from core.ports.maintenance import Maintenance
from core.ports.rate_limiter import RateLimiter
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.expire_purchases import ExpirePurchases
from core.styles.close_expired_styles import CloseExpiredStyles
from core.styles.time_out_trainings import TimeOutTrainings
from core.takedowns.carry_out_takedowns import CarryOutTakedowns

INTERVAL = 60.0
"""Seconds between maintenance passes in the background."""
SMALL, OBJECTS, LARGE = 20, 100, 1000
"""Sizes of a step's batches: items that take a transaction each, objects in the blob store, and rows that one statement
removes."""
BATCHES = 50
"""Maximum number of batches of a step in one pass, so that a pass always ends."""

_log = logging.getLogger(__name__)


class Step(Protocol):
    async def __call__(self, *, limit: int) -> int:
        """Process up to `limit` items; returns how many."""
        ...


class MaintenanceReport(msgspec.Struct, frozen=True):
    done: dict[str, int]
    """Number of items, by step."""
    failed: list[str]
    """Steps that failed; the next pass repeats them."""


@dataclass(frozen=True, slots=True)
class MaintenancePass:
    """A maintenance pass. A step that fails does not prevent the others. Any number may run at once."""

    time_out_generations: TimeOutGenerations
    fail_unresumed_generations: FailUnresumedGenerations
    time_out_trainings: TimeOutTrainings
    close_expired_styles: CloseExpiredStyles
    carry_out_takedowns: CarryOutTakedowns
    expire_purchases: ExpirePurchases
    carry_out_refunds: CarryOutRefunds
    purge_expired_sessions: PurgeExpiredSessions
    purge_read_notifications: PurgeReadNotifications
    limiter: RateLimiter
    answers: Answers
    maintenance: Maintenance
    purge_unused_uploads: PurgeUnusedUploads
    check_artworks: CheckArtworks
    purge_orphans: PurgeOrphans
    erase_accounts: EraseAccounts
    delete_discarded_objects: DeleteDiscardedObjects

    async def __call__(self) -> MaintenanceReport:
        steps: list[tuple[str, Step, int]] = [
            ("generations_timed_out", self.time_out_generations, SMALL),
            ("generations_not_resumed", self.fail_unresumed_generations, SMALL),
            ("trainings_timed_out", self.time_out_trainings, SMALL),
            ("styles_closed", self.close_expired_styles, SMALL),
            ("takedowns_carried_out", self.carry_out_takedowns, SMALL),
            ("purchases_looked_at", self.expire_purchases, SMALL),
            ("refunds_worked_on", self.carry_out_refunds, SMALL),
            ("sessions_dropped", self.purge_expired_sessions, LARGE),
            ("notifications_dropped", self.purge_read_notifications, LARGE),
            ("rate_limits_dropped", self.limiter.purge, LARGE),
            ("answers_dropped", self.answers.purge, LARGE),
            ("balances_rolled_up", self.maintenance.roll_up_balances, LARGE),
            ("uses_rolled_up", self.maintenance.roll_up_uses, LARGE),
            ("tags_rolled_up", self.maintenance.roll_up_tags, LARGE),
            ("uploads_dropped", self.purge_unused_uploads, OBJECTS),
            ("objects_looked_at", self.purge_orphans, OBJECTS),
            ("accounts_erased", self.erase_accounts, SMALL),
            ("blobs_removed", self.delete_discarded_objects, OBJECTS),
            ("artworks_checked", self.check_artworks, SMALL),
        ]
        report = MaintenanceReport(done={name: 0 for name, _, _ in steps}, failed=[])
        for name, step, limit in steps:
            try:
                for _ in range(BATCHES):
                    done = await step(limit=limit)
                    report.done[name] += done
                    if done < limit:
                        break
            except DomainError as error:
                _log.warning("maintenance step postponed step=%s reason=%s", name, error)
                report.failed.append(name)
            except Exception:
                _log.exception("maintenance step failed step=%s", name)
                report.failed.append(name)
        return report


async def run_maintenance(container: AsyncContainer, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Run a maintenance pass each INTERVAL, until cancelled."""
    while True:
        async with container() as scope:
            maintenance_pass = await scope.get(MaintenancePass)
            await maintenance_pass()
        await pause(INTERVAL)
