import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from dishka import AsyncContainer

from core.account_deletion.erase_accounts import EraseAccounts
from core.accounts.drop_expired_sessions import DropExpiredSessions
from core.blobs.drop_orphans import DropOrphans
from core.blobs.remove_unwanted_blobs import RemoveUnwantedBlobs
from core.errors import DomainError
from core.generations.fail_unresumed_generations import FailUnresumedGenerations
from core.generations.time_out_generations import TimeOutGenerations
from core.notifications.drop_old_notifications import DropOldNotifications
from core.ports.idempotency import Answers
from core.ports.maintenance import Maintenance
from core.ports.rate_limiter import RateLimiter
from core.purchases.expire_purchases import ExpirePurchases
from core.styles.time_out_trainings import TimeOutTrainings

INTERVAL = 60.0
"""Seconds between sweeps where they are done in the background."""
SMALL, OBJECTS, LARGE = 20, 100, 1000
"""How many a step does in one batch: of those that take a transaction each, objects in the store, and of those that one
statement removes."""
BATCHES = 50
"""How many batches of a step there are in one sweep, so that it ends however much there is to do."""

_log = logging.getLogger(__name__)


class Step(Protocol):
    async def __call__(self, *, limit: int) -> int:
        """Do up to `limit`; answers how many were done."""
        ...


class Swept(msgspec.Struct, frozen=True):
    done: dict[str, int]
    """How many, by step."""
    failed: list[str]
    """Steps in which something went wrong; the next sweep goes on with them."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be done from time to time, each step whatever became of the others. Any number may run at once."""

    time_out_generations: TimeOutGenerations
    fail_unresumed_generations: FailUnresumedGenerations
    time_out_trainings: TimeOutTrainings
    expire_purchases: ExpirePurchases
    drop_expired_sessions: DropExpiredSessions
    drop_old_notifications: DropOldNotifications
    limiter: RateLimiter
    answers: Answers
    maintenance: Maintenance
    drop_orphans: DropOrphans
    erase_accounts: EraseAccounts
    remove_unwanted_blobs: RemoveUnwantedBlobs

    async def __call__(self) -> Swept:
        steps: list[tuple[str, Step, int]] = [
            ("generations_timed_out", self.time_out_generations, SMALL),
            ("generations_not_resumed", self.fail_unresumed_generations, SMALL),
            ("trainings_timed_out", self.time_out_trainings, SMALL),
            ("purchases_looked_at", self.expire_purchases, SMALL),
            ("sessions_dropped", self.drop_expired_sessions, LARGE),
            ("notifications_dropped", self.drop_old_notifications, LARGE),
            ("rate_limits_dropped", self.limiter.forget, LARGE),
            ("answers_dropped", self.answers.purge, LARGE),
            ("balances_rolled_up", self.maintenance.roll_up_balances, LARGE),
            ("uses_rolled_up", self.maintenance.roll_up_uses, LARGE),
            ("tags_rolled_up", self.maintenance.roll_up_tags, LARGE),
            ("objects_looked_at", self.drop_orphans, OBJECTS),
            ("accounts_erased", self.erase_accounts, SMALL),
            ("blobs_removed", self.remove_unwanted_blobs, OBJECTS),
        ]
        swept = Swept(done={name: 0 for name, _, _ in steps}, failed=[])
        for name, step, limit in steps:
            try:
                for _ in range(BATCHES):
                    done = await step(limit=limit)
                    swept.done[name] += done
                    if done < limit:
                        break
            except DomainError as error:
                _log.warning("A step of the sweep has to wait, %s: %s", name, error)
                swept.failed.append(name)
            except Exception:
                _log.exception("A step of the sweep stumbled: %s.", name)
                swept.failed.append(name)
        return swept


async def sweep_regularly(container: AsyncContainer, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Sweep, and again after each INTERVAL, until cancelled."""
    while True:
        async with container() as scope:
            sweep = await scope.get(Sweep)
            await sweep()
        await pause(INTERVAL)
