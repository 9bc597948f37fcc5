"""The service without one of its safeguards: the simulator has to detect each mutant."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any
from unittest.mock import patch

import msgspec

from adapters.memory import account_deletion
from adapters.memory import generations as memory_generations
from adapters.memory.account_deletion import MemoryPersonalData
from adapters.memory.generations import MemoryGenerations
from adapters.memory.idempotency import MemoryIdempotentCall
from adapters.memory.style_versions import MemoryStyleVersions
from adapters.memory.styles import MemoryStyles
from adapters.memory.tables import QueuedTask, Tables
from adapters.memory.tasks import MemoryBatch, MemoryTaskQueue
from adapters.memory.transaction import MemoryTransaction
from core.community.like_generation import LikeGeneration
from core.generations import model
from core.generations.fail_generation import FailGeneration
from core.generations.fail_unresumed_generations import FailUnresumedGenerations
from core.generations.model import Generation, Status
from core.generations.repository import Generations
from core.identifiers import GenerationId, StyleId, UserId
from core.notifications.model import NotificationType
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.request_refund import RequestRefund
from core.styles.errors import StyleNotFound
from core.styles.model import Offer
from core.styles.version import StyleVersion, TrainingStatus
from core.takedowns.carry_out_takedown import CarryOutTakedown
from core.tasks.model import Task, pending
from tests.simulation.history import Mutant
from tests.simulation.money_mutants import (
    NeverHolds,
    NeverVoids,
    bonus_withdrawable,
    earnings_withdrawn_at_once,
    fee_rounded_up,
    never_notified,
    one_bonus_token_as_if_it_was_bought,
    own_images_withdrawable,
    refunds_asked_for_anew,
    refunds_charged_back_too,
    refunds_notified_before_the_commit,
    refunds_notified_twice,
    wallets_below_zero,
    withdrawals_settled_twice,
)
from tests.simulation.tracked_table import TrackedTable, put_in_place
from tests.simulation.world import SimulatedWorld, SteppingTransaction
from tests.support.scope import Scope


class Forgetful(TrackedTable[Any, Any]):
    """A unique constraint that ignores existing rows."""

    def update(self, rows: Mapping[Any, Any]) -> None:  # type: ignore[override]
        pass


@contextmanager
def no_locks(_: SimulatedWorld) -> Iterator[None]:
    async def lock(*_: object) -> None:
        pass

    with patch.object(MemoryTransaction, "lock", lock):
        yield


@contextmanager
def no_rollback(_: SimulatedWorld) -> Iterator[None]:
    end = MemoryTransaction.__aexit__

    async def commit(
        self: MemoryTransaction,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await end(self, None, None, None)

    with patch.object(MemoryTransaction, "__aexit__", commit):
        yield


@contextmanager
def task_outside_of_the_transaction(_: SimulatedWorld) -> Iterator[None]:
    async def put(self: MemoryTaskQueue, task: Task, *, due: datetime | None = None) -> None:
        database = self._transaction.database
        number = database.next("outbox")
        row = QueuedTask(pending(task), due or task.created_at)
        database.apply([lambda tables: tables.outbox.update({number: row})])

    with patch.object(MemoryTaskQueue, "put", put):
        yield


@contextmanager
def task_after_the_transaction(_: SimulatedWorld) -> Iterator[None]:
    end = SteppingTransaction.__aexit__
    late: defaultdict[MemoryTransaction, list[tuple[int, QueuedTask]]] = defaultdict(list)

    async def put(self: MemoryTaskQueue, task: Task, *, due: datetime | None = None) -> None:
        row = QueuedTask(pending(task), due or task.created_at)
        late[self._transaction].append((self._transaction.database.next("outbox"), row))

    async def end_and_put(
        self: SteppingTransaction,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        rows = late.pop(self.real, [])
        await end(self, kind, error, trace)
        if error is None:
            self.real.database.apply([lambda tables: tables.outbox.update(rows)])

    with patch.object(MemoryTaskQueue, "put", put), patch.object(SteppingTransaction, "__aexit__", end_and_put):
        yield


@contextmanager
def unconfirmed_tasks_forgotten(_: SimulatedWorld) -> Iterator[None]:
    async def published(self: MemoryBatch, task_ids: list[Any]) -> None:
        self.confirmed.update(task.task_id for task in self.tasks)

    with patch.object(MemoryBatch, "published", published):
        yield


@contextmanager
def keys_not_claimed(_: SimulatedWorld) -> Iterator[None]:
    async def claim(*_: object) -> None:
        pass

    with patch.object(MemoryIdempotentCall, "_claim", claim):
        yield


@contextmanager
def images_erased_at_work(_: SimulatedWorld) -> Iterator[None]:
    async def none(*_: object, **__: object) -> list[GenerationId]:
        return []

    def all_of(tables: Tables, user_id: UserId) -> list[Generation]:
        return [
            msgspec.structs.replace(image, status=Status.FAILED)
            for image in tables.generations.values()
            if image.owner_id == user_id
        ]

    with patch.object(MemoryPersonalData, "unended_images", none), patch.object(account_deletion, "_images", all_of):
        yield


def changed(kind: type[Any], **ports: Callable[[Any], object]) -> Mutant:
    """A use case that gets another port than the others."""

    @contextmanager
    def mutant(world: SimulatedWorld) -> Iterator[None]:
        use_case = world.use_case

        def made(wanted: type[Any], scope: Scope | None = None, /, **given: object) -> Any:
            found = use_case(wanted, scope, **given)
            if wanted is not kind:
                return found
            return replace(found, **{name: change(getattr(found, name)) for name, change in ports.items()})

        with patch.object(world, "use_case", made):
            yield

    return mutant


@contextmanager
def failed_attempts_final(_: SimulatedWorld) -> Iterator[None]:
    with patch.object(model, "FINAL", model.FINAL | {"INFERENCE_ERROR"}):
        yield


@contextmanager
def failed_attempts_forgotten(_: SimulatedWorld) -> Iterator[None]:
    """Neither the grace period nor the time-out ever ends."""

    async def none(*_: object, **__: object) -> list[GenerationId]:
        return []

    with patch.object(MemoryGenerations, "unresumed", none):
        yield


class Unlocked:
    """Images that are read without waiting for those who change them."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def of_id(self, generation_id: GenerationId, *, lock: bool) -> Generation:
        return await self._generations.of_id(generation_id)


@contextmanager
def requests_after_takedown(_: SimulatedWorld) -> Iterator[None]:
    """A request that read the offer before the withdrawal is not refused."""

    def check(tables: Tables, generation: Generation) -> None:
        if generation.style_id not in tables.styles:
            raise StyleNotFound

    with patch.object(memory_generations, "_check_requestable", check):
        yield


@contextmanager
def takedown_of_what_is_in_work(_: SimulatedWorld) -> Iterator[None]:
    """Generations in progress are cancelled too."""

    async def unended(self: MemoryGenerations, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        return self._oldest(lambda image: image.style_id == style_id and not image.status.ended, limit)

    async def cancel(self: CarryOutTakedown, generation_id: GenerationId) -> None:
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if not generation.status.ended:
                await self.generations.save(generation.abandon(at=self.clock.now()))
                await self.ledger.void(generation.hold_id, at=self.clock.now())

    with patch.object(CarryOutTakedown, "_cancel", cancel), patch.object(MemoryGenerations, "queued_with", unended):
        yield


@contextmanager
def versions_used_unchosen(_: SimulatedWorld) -> Iterator[None]:
    """A version is used once it is trained."""
    save = MemoryStyleVersions.save

    async def save_and_use(self: MemoryStyleVersions, version: StyleVersion) -> None:
        await save(self, version)
        if version.training_status is TrainingStatus.COMPLETED:
            styles = MemoryStyles(self._transaction)
            style = await styles.of_id(version.style_id)
            await styles.save(style.use(version, [], at=version.updated_at))

    with patch.object(MemoryStyleVersions, "save", save_and_use):
        yield


@contextmanager
def retries_with_the_version_in_use(_: SimulatedWorld) -> Iterator[None]:
    """A generation that is retried gets the model of another version, if one was chosen meanwhile."""
    offer = MemoryStyles.offer

    async def offer_in_use(self: MemoryStyles, style_id: StyleId, *, version: int | None = None) -> Offer:
        return await offer(self, style_id)

    with patch.object(MemoryStyles, "offer", offer_in_use):
        yield


def without(rule: str) -> Mutant:
    @contextmanager
    def mutant(world: SimulatedWorld) -> Iterator[None]:
        put_in_place(world.database.tables, rule, Forgetful({}))
        yield

    return mutant


MUTANTS: dict[str, Mutant] = {
    "no-locks": no_locks,
    "no-rollback": no_rollback,
    "no-unique-transfer": without("references"),
    "no-unique-resolution": without("resolutions"),
    "no-unique-identity": without("identities"),
    "task-outside-of-the-transaction": task_outside_of_the_transaction,
    "task-after-the-transaction": task_after_the_transaction,
    "unconfirmed-tasks-forgotten": unconfirmed_tasks_forgotten,
    "wallets-below-zero": wallets_below_zero,
    "fee-rounded-up": fee_rounded_up,
    "withdrawals-settled-twice": withdrawals_settled_twice,
    "one-bonus-token-as-if-it-was-bought": one_bonus_token_as_if_it_was_bought,
    "own-images-withdrawable": own_images_withdrawable,
    "bonus-tokens-withdrawable": bonus_withdrawable,
    "earnings-withdrawn-at-once": earnings_withdrawn_at_once,
    "keys-not-claimed": keys_not_claimed,
    "images-erased-at-work": images_erased_at_work,
    "failed-attempts-final": failed_attempts_final,
    "failed-attempts-forgotten": failed_attempts_forgotten,
    "versions-used-unchosen": versions_used_unchosen,
    "retries-with-the-version-in-use": retries_with_the_version_in_use,
    "requests-after-takedown": requests_after_takedown,
    "takedown-of-what-is-in-work": takedown_of_what_is_in_work,
    "grace-not-waited-for": changed(FailUnresumedGenerations, grace=lambda _: timedelta()),
    "likes-counted-without-a-lock": changed(LikeGeneration, generations=Unlocked),
    "refunds-without-a-hold": changed(RequestRefund, ledger=NeverHolds),
    "refused-refunds-on-hold-for-good": changed(CarryOutRefunds, ledger=NeverVoids),
    "refunds-asked-for-anew": refunds_asked_for_anew,
    "refunds-charged-back-too": refunds_charged_back_too,
    "refunds-not-notified": never_notified(NotificationType.PURCHASE_REFUNDED),
    "refused-refunds-not-notified": never_notified(NotificationType.REFUND_REFUSED),
    "charge-backs-not-notified": never_notified(NotificationType.PURCHASE_CHARGED_BACK),
    "refunds-notified-twice": refunds_notified_twice,
    "refunds-notified-before-the-commit": refunds_notified_before_the_commit,
    "no-refund-after-the-last-attempt": changed(FailGeneration, ledger=NeverVoids),
}
