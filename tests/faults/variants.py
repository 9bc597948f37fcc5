"""The service's command line with something changed in it: `python -m tests.faults.variants no-keys run`.

The suite has to notice each of MUTANTS, and nothing of BATCHES.
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from adapters.postgres.transaction import PostgresTransaction
from adapters.rabbitmq.broker import RabbitMQBroker
from core.generations import model
from core.identifiers import TaskId
from core.tasks.model import PendingTask
from entrypoints import cli
from entrypoints.container import postgres
from entrypoints.http.middleware import idempotency
from tests.support.batches import Batches, pool_with

TOO_LATE = 2.0
"""Seconds between an answer and its commit."""

_background: set[asyncio.Task[Any]] = set()


def hasty() -> None:
    """Shorter delays before retries, which are not under test."""
    delays = tuple(timedelta(seconds=seconds) for seconds in (0, 1, 2))
    patch.object(model, "RETRY_DELAYS", delays).start()


def confirms_not_awaited() -> None:
    """A task counts as published once it is sent, without a confirm."""
    publish = RabbitMQBroker.publish

    async def send_off(self: RabbitMQBroker, tasks: list[PendingTask]) -> list[TaskId]:
        _in_background(publish(self, tasks))
        return [task.task_id for task in tasks]

    patch.object(RabbitMQBroker, "publish", send_off).start()


def answers_before_the_commit() -> None:
    """Answers a request for a generation before it is stored."""
    commit: Callable[..., Any] = PostgresTransaction._commit

    async def commit_later(self: PostgresTransaction, block: Any) -> None:
        if block.connection is not None or not {"outbox", "ledger"} <= block.held.keys():
            await commit(self, block)
            return

        async def later() -> None:
            await asyncio.sleep(TOO_LATE)
            await commit(self, block)

        _in_background(later())

    patch.object(PostgresTransaction, "_commit", commit_later).start()


def no_keys() -> None:
    """Idempotency keys are ignored."""
    patch.object(idempotency, "_has_key", lambda _scope: False).start()


def nothing_ever_ends() -> None:
    """Repeated webhooks are applied again."""
    patch.object(model.Status, "ended", False).start()


def _in_background(work: Any) -> None:
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


def _batches(batches: Batches) -> Callable[[], None]:
    """Forces batches of this kind on the service's pool."""

    def force() -> None:
        patch.object(postgres, "create_pool", partial(pool_with, batches)).start()

    return force


MUTANTS: dict[str, Callable[[], None]] = {
    "confirms-not-awaited": confirms_not_awaited,
    "answers-before-the-commit": answers_before_the_commit,
    "no-keys": no_keys,
    "nothing-ever-ends": nothing_ever_ends,
}
BATCHES = {f"batches-{batches.value}": _batches(batches) for batches in Batches}
ALTERATIONS = {"hasty": hasty, **MUTANTS, **BATCHES}


def main() -> int:
    for name in sys.argv[1].split(","):
        ALTERATIONS[name]()
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
