from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import cast

import msgspec

from adapters.memory.tables import Entry
from core.accounts.model import Standing, User
from core.generations.model import FINAL, RETRYABLE, STYLE_WITHDRAWN, Generation, Status
from core.identifiers import (
    CommentId,
    GenerationId,
    NotificationId,
    OrderId,
    StyleId,
    TaskId,
    TransferId,
    UserId,
    VersionId,
    WithdrawalId,
)
from core.ports.idempotency import KEPT
from core.purchases.model import Purchase
from core.styles.model import Style
from core.styles.version import TrainingStatus
from core.tasks.model import GenerationOrder, GenerationTask, PendingTask
from core.tokens.model import WELCOME_TOKENS, Account, AccountKind, TransferKind
from tests.simulation.purchase_notifications import PurchaseNotifications
from tests.simulation.rows import ids_of, name_of, pays, result_of, version_of
from tests.simulation.sources import Sources
from tests.simulation.stage import GRACE
from tests.simulation.tracked_table import TrackedTable
from tests.simulation.violation import Violation
from tests.simulation.world import SimulatedWorld

Answered = tuple[UserId, str]

_LEDGER = ("funds", "entries", "generations", "purchases", "withdrawals")
"""The rows that `reconcile` checks."""
_NAMES = (*_LEDGER, "users", "styles", "style_versions", "likes", "comments", "answers", "outbox", "notifications")
NOTIFIED = {Status.COMPLETED, Status.FAILED}
SERVER_GIVES_UP = FINAL | RETRYABLE
"""Codes after which the inference server does not try again by itself."""


class Invariants:
    """Reconciles the ledger after every commit, and records what a single state cannot show.

    Each further check reads the rows changed since the last one.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        published: dict[TaskId, PendingTask],
        note: Callable[[str], None],
    ) -> None:
        self._world = world
        self._tables = tables = world.database.committed
        self._watched: dict[str, TrackedTable[object, object]] = {name: getattr(tables, name) for name in _NAMES}
        self._published = published
        self._note = note
        self._entries: set[TransferId] = set()
        self._bonuses: defaultdict[UserId, list[Entry]] = defaultdict(list)
        self._sources = Sources()
        self._purchase_notifications = PurchaseNotifications(tables, self._is_here)
        self._made: set[str] = set()
        """By their place in answers: what is to be made once for each key."""
        self._attempts: dict[tuple[GenerationId, int], TaskId] = {}
        self._trainings: defaultdict[VersionId, set[TaskId]] = defaultdict(set)
        self._tasks: dict[int, PendingTask] = {}
        """By their place in the outbox."""
        self._ended: dict[GenerationId, Status] = {}
        self._attempt_failed_at: dict[GenerationId, datetime | None] = {}
        self._trained: set[VersionId] = set()
        self._in_use: dict[StyleId, int] = {}
        self._made_with: dict[GenerationId, int] = {}
        """The version that each generation was requested with."""
        self._paid: set[OrderId] = set()
        self._identities: dict[tuple[str, str], UserId] = {}
        """The first owner of each."""
        self._erased: set[UserId] = set()
        self._answered = dict(tables.answers)
        self.commits = 0

    def check(self) -> None:
        """Raises Violation for the first rule that does not hold."""
        if any(table.changed for table in self._watched.values()):
            self.commits += 1
            self._check({name: table.taken() for name, table in self._watched.items()})

    def check_end(self) -> None:
        """Check what holds at the end of a history. Raises Violation."""
        for payment in self._world.payments.payments.values():
            purchase = self._tables.purchases.get(payment.order_id)
            if purchase and pays(payment, purchase) and not purchase.status.credited:
                raise Violation(f"purchase {purchase.order_id} is {purchase.status.value}, but its money was taken")
        for key, sums in self._world.payments.given_back.items():
            purchase = self._tables.purchases[self._world.payments.payments[key].order_id]
            if purchase.refunded_price < sum(sums):
                raise Violation(f"{sum(sums)} was given back of purchase {purchase.order_id}, but its tokens are there")
            if len(sums) > self._sources.refunds(purchase.order_id):
                raise Violation(f"{sums} was given back of purchase {purchase.order_id}, and not asked for that often")
        held = {account: funds for account, funds in self._tables.funds.items() if funds.held}
        if held:
            raise Violation(f"tokens are still on hold: {held}")
        for user_id in tuple(self._erased):
            self._check_erased(user_id)
        paid_in = sum(
            row.total_price - row.refunded_price for row in self._tables.purchases.values() if row.status.credited
        )
        self._sources.check_end(sum(funds.debt for funds in self._tables.funds.values()), paid_in)

    def _check(self, changed: dict[str, list[object]]) -> None:
        for transfer_id in ids_of(changed["entries"], TransferId):
            self._check_entry(transfer_id)
        self._purchase_notifications.check(ids_of(changed["notifications"], NotificationId))
        for account in ids_of(changed["funds"], Account):
            if account.kind is AccountKind.EARNINGS and account.owner is not None:
                self._sources.check_paid(account.owner, self._tables.funds[account].paid)
        for number in ids_of(changed["outbox"], int):
            self._check_task(number)
        for generation_id in ids_of(changed["generations"], GenerationId):
            self._check_generation(generation_id)
        self._check_styles(changed)
        for order_id in ids_of(changed["purchases"], OrderId):
            self._check_purchase(self._tables.purchases[order_id])
        for user_id in ids_of(changed["users"], UserId):
            self._check_user(user_id)
        for generation_id, _ in cast("list[tuple[GenerationId, UserId]]", changed["likes"]):
            self._check_likes(generation_id)
        if changed["comments"]:
            self._check_comments()
        for withdrawal_id in ids_of(changed["withdrawals"], WithdrawalId):
            self._sources.check(self._tables.withdrawals[withdrawal_id], self._world.payouts)
        self._check_answers(changed)
        if any(changed[name] for name in _LEDGER):
            self._reconcile()

    # --- the ledger ---------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        for finding in result_of(self._world.books.examine()):
            if finding.broken:
                raise Violation(f"{finding.invariant.value}; but not here: {finding.first}")

    def _check_entry(self, transfer_id: TransferId) -> None:
        entry = self._tables.entries.get(transfer_id)
        if entry is None or transfer_id in self._entries:
            raise Violation(f"entry {transfer_id} of the ledger was changed or removed: {entry}")
        self._entries.add(transfer_id)
        self._sources.add(entry)
        self._purchase_notifications.add(entry)
        self._note(
            f"  {entry.phase.value} {entry.id}: {entry.amount} {name_of(entry.debit)} -> {name_of(entry.credit)}"
        )
        if entry.kind is TransferKind.BONUS and entry.credit.owner is not None:
            self._bonuses[entry.credit.owner].append(entry)
            self._check_user(entry.credit.owner)

    # --- generations --------------------------------------------------------------------------------------------------

    def _check_generation(self, generation_id: GenerationId) -> None:
        generation = self._tables.generations.get(generation_id)
        if generation is None:
            self._check_removed(generation_id)
            return
        status, before = generation.status, self._ended.get(generation.id)
        self._check_offered(generation, before)
        if self._made_with.setdefault(generation.id, generation.style_version) != generation.style_version:
            raise Violation(f"generation {generation.id} has become one of version {generation.style_version}")
        self._note(f"  generation {generation.id} is {status.value}")
        if status is Status.FAILED and self._ended.get(generation.id) is not status:
            self._check_grace(generation)
        if self._ended.setdefault(generation.id, status) is not status and self._ended[generation.id].ended:
            raise Violation(f"generation {generation.id} was {self._ended[generation.id].value}, and is {status.value}")
        self._ended[generation.id] = status
        if self._attempts.get((generation.id, generation.attempt)) != generation.task_id:
            raise Violation(f"attempt {generation.attempt} at generation {generation.id} has no task of its own")
        notified = (generation.owner_id, f"generation:{generation.id}:ended") in self._tables.reasons
        ended_by_others = status in NOTIFIED or generation.failure == STYLE_WITHDRAWN
        if ended_by_others and not notified and self._is_here(generation.owner_id):
            raise Violation(f"generation {generation.id} is {status.value}, and its owner was not notified")
        if status is Status.COMPLETED:
            self._check_fee(generation)
        self._attempt_failed_at[generation.id] = generation.attempt_failed_at

    def _check_offered(self, generation: Generation, before: Status | None) -> None:
        """Of a withdrawn style nothing is requested, and nothing of what is in work is cancelled."""
        takedown = self._tables.styles[generation.style_id].takedown
        if before is None and takedown:
            raise Violation(f"generation {generation.id} is of style {generation.style_id}, which was withdrawn before")
        in_work = before in (Status.PROCESSING, Status.RETRYING)
        if in_work and generation.status is Status.CANCELLED and self._is_here(generation.owner_id):
            raise Violation(f"generation {generation.id} was {before}, and is cancelled")
        if generation.is_public and takedown and not takedown.keeps_images and not takedown.pending:
            raise Violation(f"generation {generation.id} is public, and its style was withdrawn with its images")

    def _check_takedown(self, style: Style) -> None:
        if style.takedown is None or style.takedown.pending:
            return
        for image in self._tables.generations.values():
            if image.style_id == style.id and image.status is Status.QUEUED:
                raise Violation(f"style {style.id} was withdrawn, and generation {image.id} is still queued")
            if image.style_id == style.id and image.is_public and not style.takedown.keeps_images:
                raise Violation(f"style {style.id} was withdrawn with its images, and {image.id} is still public")

    def _check_grace(self, generation: Generation) -> None:
        """A failed attempt that the server repeats by itself is refunded only after the grace period."""
        if generation.failure is None or generation.failure.code in SERVER_GIVES_UP:
            return
        failed_at, ended_at = self._attempt_failed_at.get(generation.id), generation.ended_at
        if failed_at is None or ended_at is None or ended_at < failed_at + GRACE:
            raise Violation(f"generation {generation.id} has failed while its server tries again: {generation.failure}")

    def _check_removed(self, generation_id: GenerationId) -> None:
        self._note(f"  generation {generation_id} is gone")
        status = self._ended.get(generation_id)
        if status is None or not status.ended:
            raise Violation(f"generation {generation_id} is gone, and was {status}")

    def _check_fee(self, generation: Generation) -> None:
        """Whole tokens, rounded down."""
        exact = Decimal(generation.consumed_tokens) * self._world.fee.percent / 100
        if not exact - 1 < generation.fee_tokens <= exact:
            raise Violation(f"of {generation.consumed_tokens} tokens the platform has kept {generation.fee_tokens}")

    def _check_likes(self, generation_id: GenerationId) -> None:
        if self._ended.get(generation_id) is not Status.COMPLETED:
            raise Violation(f"somebody likes generation {generation_id}, of which there is no image")

    def _check_comments(self) -> None:
        comments = self._tables.comments
        for comment in comments.values():
            parent = comments.get(comment.parent_id or CommentId(0))
            if comment.parent_id is not None and (
                parent is None or parent.parent_id is not None or parent.generation_id != comment.generation_id
            ):
                raise Violation(f"comment {comment.id} replies to {parent}")

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _check_task(self, number: int) -> None:
        row = self._tables.outbox.get(number)
        if row is None:
            task = self._tasks[number]
            if task.task_id not in self._published:
                raise Violation(f"task {task.task_id} left the outbox and reached no queue")
            return
        if self._tasks.setdefault(number, row.task) != row.task:
            raise Violation(f"task {self._tasks[number]} became another: {row.task}")
        if not self._awaited(row.task):
            raise Violation(f"there is a task that nobody waits for: {row.task.body.decode()}")
        if row.task.queue == "model_training":
            self._trainings[version_of(row.task)].add(row.task.task_id)
        else:
            order = msgspec.json.decode(row.task.body, type=GenerationTask).data
            self._check_model(order)
            self._attempts[order.generation_id, order.attempt] = row.task.task_id

    def _awaited(self, task: PendingTask) -> bool:
        """Whether something waits for what this very task brings about."""
        if task.queue == "model_training":
            version = self._tables.style_versions.get(version_of(task))
            return version is not None and not version.training_status.ended and version.task_id == task.task_id
        order = msgspec.json.decode(task.body, type=GenerationTask).data
        generation = self._tables.generations.get(order.generation_id)
        return generation is not None and not generation.status.ended and generation.task_id == task.task_id

    def _check_styles(self, changed: dict[str, list[object]]) -> None:
        for style_id in ids_of(changed["styles"], StyleId):
            self._check_style(style_id)
        for version_id in ids_of(changed["style_versions"], VersionId):
            self._check_version(version_id)

    def _check_style(self, style_id: StyleId) -> None:
        """Another version is used once its artist has chosen it, and so not in the commit that completes it."""
        style = self._tables.styles.get(style_id)
        self._note(f"  style {style_id} uses version {style.version if style else 'none'}")
        if style:
            self._check_takedown(style)
            if self._in_use.setdefault(style_id, 1) != style.version and style.version_id not in self._trained:
                raise Violation(f"style {style_id} uses version {style.version}, which nobody has chosen")
            self._in_use[style_id] = style.version

    def _check_version(self, version_id: VersionId) -> None:
        version = self._tables.style_versions.get(version_id)
        self._note(f"  version {version_id} is {version.training_status.value if version else 'gone'}")
        if version is None:
            return
        if self._tables.artworks[version_id] and version.task_id not in self._trainings[version_id]:
            raise Violation(f"version {version_id} has no task")
        if version.training_status is TrainingStatus.COMPLETED:
            self._trained.add(version_id)
        elif version_id in self._trained:
            raise Violation(f"version {version_id} was trained, and is {version.training_status.value}")

    def _check_model(self, order: GenerationOrder) -> None:
        """A task has the model of the version that its generation was requested with."""
        generation, version = self._tables.generations[order.generation_id], self._tables.style_versions[order.style_id]
        wanted = (generation.style_id, generation.style_version, version.model_path)
        if (version.style_id, version.number, order.lora_path) != wanted:
            raise Violation(f"generation {generation.id} of version {generation.style_version} is made with {order}")

    # --- purchases and users ------------------------------------------------------------------------------------------

    def _check_purchase(self, purchase: Purchase) -> None:
        order_id = purchase.order_id
        self._note(f"  purchase {order_id} is {purchase.status.value}")
        paid = purchase.status.credited
        if order_id in self._paid and not paid:
            raise Violation(f"purchase {order_id} was paid, and is {purchase.status.value}")
        if paid:
            self._paid.add(order_id)
            payments, key = self._world.payments, str(purchase.payment_key)
            if key not in payments.captured or not pays(payments.captured[key], purchase):
                raise Violation(f"purchase {order_id} is paid, but the provider took no such money")
            if purchase.total_price - purchase.refunded_price < payments.payments[key].kept:
                raise Violation(f"purchase {order_id} was charged back, but the provider still has the money")

    def _check_user(self, user_id: UserId) -> None:
        user: User | None = self._tables.users.get(user_id)
        if user is None:
            self._check_erased(user_id)
            return
        first = self._identities.setdefault((user.provider, user.subject), user_id)
        if first != user_id and first in self._tables.users:
            raise Violation(f"users {first} and {user_id} are the same person")
        amounts = [bonus.amount for bonus in self._bonuses[user_id]]
        if amounts != ([WELCOME_TOKENS] if first == user_id else []):
            raise Violation(f"user {user_id} has been given {amounts}")

    def _check_erased(self, user_id: UserId) -> None:
        """Only the ledger's rows of them remain."""
        self._note(f"  user {user_id} is erased")
        self._erased.add(user_id)
        tables = self._tables
        left: dict[str, Iterable[object]] = {
            "identities": tables.identities.values(),
            "usernames": tables.usernames.values(),
            "artists": tables.artists,
            "portfolios": tables.portfolios,
            "sessions": (session.user_id for session in tables.sessions.values()),
            "styles": (style.artist_id for style in tables.styles.values()),
            "images": (owner for image in tables.generations.values() for owner in (image.owner_id, image.artist_id)),
            "likes": (by for _, by in tables.likes),
            "follows": (either for pair in tables.follows for either in pair),
            "comments": (comment.author_id for comment in tables.comments.values()),
            "notifications": (
                concerned
                for kept in tables.notifications.values()
                for concerned in (kept.notification.recipient, kept.notification.actor)
            ),
            "reasons": (recipient for recipient, _ in tables.reasons),
            "answers": (by for by, _ in tables.answers),
        }
        for what, owners in left.items():
            if user_id in owners:
                raise Violation(f"user {user_id} is erased, but there are {what} of theirs")

    def _is_here(self, user_id: UserId) -> bool:
        user = self._tables.users.get(user_id)
        return user is not None and user.standing is Standing.PRESENT

    # --- answers ------------------------------------------------------------------------------------------------------

    def _check_answers(self, changed: dict[str, list[object]]) -> None:
        """A keyed call's stored answer names the resource created in the same transaction, and is kept."""
        named = set()
        for key in cast("list[Answered]", changed["answers"]):
            before, after = self._answered.pop(key, None), self._tables.answers.get(key)
            until = after.call.at if after else self._world.clock.now()
            if before and until < before.call.at + KEPT and self._is_here(key[0]):
                raise Violation(f"the answer to {key} was {before.answer}, and is {after}")
            if after:
                self._answered[key] = after
                named.add(after.answer.headers["location"])
        made = self._made_by_keys(changed) - self._made
        if made != named:
            raise Violation(f"{made or 'nothing'} was made, and the answer tells of {named or 'nothing'}")
        self._made |= made

    def _made_by_keys(self, changed: dict[str, list[object]]) -> set[str]:
        """All styles, purchases and withdrawals, and images whose description is a key."""
        generations, styles = self._tables.generations, self._tables.styles
        images = [key for key in ids_of(changed["generations"], GenerationId) if key in generations]
        return {
            *(f"generation:{key}" for key in images if generations[key].description),
            *(f"style:{key}" for key in ids_of(changed["styles"], StyleId) if key in styles),
            *(f"purchase:{key}" for key in ids_of(changed["purchases"], OrderId)),
            *(f"withdrawal:{key}" for key in ids_of(changed["withdrawals"], WithdrawalId)),
        }
