"""What the tests of time-outs share."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from core.accounts.model import User
from core.identifiers import GenerationId
from core.notifications.views import NotificationItem
from core.paging import PageRequest
from core.tasks.outcome import Outcome
from tests.contracts.overlap import commit
from tests.support.world import World

TIMEOUT = timedelta(minutes=30)


MOMENT = timedelta(microseconds=1)


PRICE = 30


async def notified(world: World, user: User) -> list[NotificationItem]:
    page, _ = await world.read.notifications.list(user.id, unread_only=False, page=PageRequest())
    return page.rows


def refuse_once(monkeypatch: pytest.MonkeyPatch, use_case: type[object], error: Exception) -> None:
    """The first call is refused, and does nothing."""
    call: Callable[..., Awaitable[Outcome]] = use_case.__call__
    refusals = [error]

    async def refuse(self: object, *args: object, **options: object) -> Outcome:
        if refusals:
            raise refusals.pop()
        return await call(self, *args, **options)

    monkeypatch.setattr(use_case, "__call__", refuse)


async def inactive(world: World, *, limit: int) -> list[GenerationId]:
    return await commit(world, lambda ports: ports.generations.stalled(since=world.clock.now() - TIMEOUT, limit=limit))
