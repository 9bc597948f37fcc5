from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar, cast

import msgspec

from adapters.memory.tables import Entry, Funds, Phase, Tables
from core.accounts.model import User
from core.generations.model import Generation, Status
from core.identifiers import GenerationId, HoldId, OrderId, StyleId, TaskId, TransferId, UserId
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.payment import Payment, PaymentState
from core.styles.model import Style
from core.tasks.model import GenerationTask, PendingTask, TrainingTask
from core.tokens.model import WELCOME_TOKENS, Account, TransferKind, earnings, wallet
from tests.simulation.broken import Broken
from tests.simulation.watched import Watched

Key = TypeVar("Key")

_NAMES = ("users", "funds", "entries", "purchases", "styles", "generations", "outbox")

RESOLVED_BY = {Status.COMPLETED: Phase.POST, Status.FAILED: Phase.VOID, Status.CANCELLED: Phase.VOID}
TOLD = {Status.COMPLETED, Status.FAILED}


class Books:
    """Books of one's own, kept from the ledger's entries alone, and compared with everything that is stored.

    Each check looks at the rows that commits have changed since the last one, and at those that belong to them.
    """

    def __init__(
        self,
        tables: Tables,
        payments: Mapping[str, Payment],
        published: Mapping[TaskId, PendingTask],
        note: Callable[[str], None],
    ) -> None:
        self._tables = tables
        self._watched: dict[str, Watched[object, object]] = {name: getattr(tables, name) for name in _NAMES}
        self._payments = payments
        self._published = published
        self._note = note
        self._entries: dict[TransferId, Entry] = {}
        self._funds: defaultdict[Account, Funds] = defaultdict(Funds)
        self._stored: dict[Account, int] = {}
        self._sum = 0
        """Of all stored balances."""
        self._holds: defaultdict[GenerationId, list[HoldId]] = defaultdict(list)
        self._resolutions: defaultdict[GenerationId, list[Entry]] = defaultdict(list)
        self._bonuses: defaultdict[UserId, list[Entry]] = defaultdict(list)
        self._credits: defaultdict[OrderId, list[Entry]] = defaultdict(list)
        self._attempts: dict[tuple[GenerationId, int], TaskId] = {}
        self._trainings: dict[StyleId, TaskId] = {}
        self._tasks: dict[int, TaskId] = {}
        """By their place in the outbox."""
        self._ended: dict[GenerationId, Status] = {}
        self._paid: set[OrderId] = set()
        self._identities: dict[tuple[str, str], UserId] = {}
        self.commits = 0

    def check(self) -> None:
        """Raises Broken for the first rule that does not hold."""
        if any(table.changed for table in self._watched.values()):
            self.commits += 1
            self._check({name: table.taken() for name, table in self._watched.items()})

    def check_all(self) -> None:
        """The same for everything that is stored, from nothing."""
        afresh = Books(self._tables, self._payments, self._published, lambda _: None)
        afresh._attempts, afresh._trainings = self._attempts, self._trainings  # what has left the outbox is known here
        afresh._check({name: list(table) for name, table in self._watched.items()})

    def _check(self, changed: dict[str, list[object]]) -> None:
        accounts: dict[Account, None] = dict.fromkeys(_the(changed["funds"], Account))
        generations: dict[GenerationId, None] = dict.fromkeys(_the(changed["generations"], GenerationId))
        orders: dict[OrderId, None] = dict.fromkeys(_the(changed["purchases"], OrderId))
        users: dict[UserId, None] = dict.fromkeys(_the(changed["users"], UserId))
        for transfer_id in _the(changed["entries"], TransferId):
            entry = self._write_down(transfer_id)
            accounts |= {entry.debit: None, entry.credit: None}
            if entry.generation_id is not None:
                generations[entry.generation_id] = None
            if entry.sale is not None:
                orders[entry.sale.order_id] = None
            if entry.kind is TransferKind.BONUS and entry.credit.owner is not None:
                users[entry.credit.owner] = None
        for number in _the(changed["outbox"], int):
            self._check_task(number)
        for account in accounts:
            self._check_funds(account)
        if self._sum:
            raise Broken(f"the sum over all accounts is {self._sum}")
        for generation_id in generations:
            self._check_generation(generation_id)
        for style_id in _the(changed["styles"], StyleId):
            self._check_style(self._tables.styles[style_id])
        for order_id in orders:
            self._check_purchase(order_id)
        for user_id in users:
            self._check_user(user_id)

    # --- the ledger ---------------------------------------------------------------------------------------------------

    def _write_down(self, transfer_id: TransferId) -> Entry:
        entry = self._tables.entries.get(transfer_id)
        if entry is None or transfer_id in self._entries:
            raise Broken(f"entry {transfer_id} of the ledger was changed or removed: {entry}")
        self._entries[transfer_id] = entry
        self._note(f"  {entry.phase.value} {entry.id}: {entry.amount} {_name(entry.debit)} -> {_name(entry.credit)}")
        match entry.phase:
            case Phase.MOVE:
                self._move(entry)
            case Phase.HOLD:
                self._hold(entry.debit, entry.amount)
            case Phase.POST:
                self._hold(entry.debit, -entry.amount)
                self._move(entry)
            case Phase.VOID:
                self._hold(entry.debit, -entry.amount)
        if entry.generation_id is not None:
            if entry.phase is Phase.HOLD:
                self._holds[entry.generation_id].append(HoldId(entry.id))
            else:
                self._resolutions[entry.generation_id].append(entry)
        elif entry.sale is not None:
            self._credits[entry.sale.order_id].append(entry)
        elif entry.kind is TransferKind.BONUS and entry.credit.owner is not None:
            self._bonuses[entry.credit.owner].append(entry)
        return entry

    def _move(self, entry: Entry) -> None:
        for account, change in ((entry.debit, -entry.amount), (entry.credit, entry.amount)):
            funds = self._funds[account]
            self._funds[account] = Funds(funds.balance + change, funds.held)

    def _hold(self, account: Account, change: int) -> None:
        funds = self._funds[account]
        self._funds[account] = Funds(funds.balance, funds.held + change)

    def _check_funds(self, account: Account) -> None:
        funds = self._tables.funds[account]
        if funds != self._funds[account]:
            raise Broken(f"{_name(account)} has {funds}, but its transfers say {self._funds[account]}")
        if funds.held < 0 or (account.owner is not None and funds.balance < funds.held):
            raise Broken(f"{_name(account)} is below zero: {funds}")
        self._sum += funds.balance - self._stored.get(account, 0)
        self._stored[account] = funds.balance

    # --- generations --------------------------------------------------------------------------------------------------

    def _check_generation(self, generation_id: GenerationId) -> None:
        generation = self._tables.generations.get(generation_id)
        if generation is None:
            raise Broken(f"tokens moved for generation {generation_id}, which does not exist")
        status = generation.status
        self._note(f"  generation {generation_id} is {status.value}")
        if self._holds[generation_id] != [generation.hold_id]:
            raise Broken(f"generation {generation_id} has the holds {self._holds[generation_id]}")
        _check_terms(generation, self._entries[TransferId(generation.hold_id)])
        resolutions = self._resolutions[generation_id]
        wanted = [RESOLVED_BY[status]] if status.ended else []
        if [resolution.phase for resolution in resolutions] != wanted:
            raise Broken(f"generation {generation_id} is {status.value}, and its hold is resolved by {resolutions}")
        for resolution in resolutions:
            _check_terms(generation, resolution)
        if self._ended.setdefault(generation_id, status) is not status and self._ended[generation_id].ended:
            raise Broken(f"generation {generation_id} was {self._ended[generation_id].value}, and is {status.value}")
        self._ended[generation_id] = status
        if self._attempts.get((generation_id, generation.attempt)) != generation.task_id:
            raise Broken(f"attempt {generation.attempt} at generation {generation_id} has no task of its own")
        if status in TOLD and (generation.owner_id, f"generation:{generation_id}:ended") not in self._tables.reasons:
            raise Broken(f"generation {generation_id} is {status.value}, and its owner was not told")

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _check_task(self, number: int) -> None:
        row = self._tables.outbox.get(number)
        if row is None:
            task_id = self._tasks.get(number)
            if task_id not in self._published:
                raise Broken(f"task {task_id} left the outbox and reached no queue")
            return
        self._tasks[number] = row.task.task_id
        if row.task.queue == "model_training":
            style_id = msgspec.json.decode(row.task.body, type=TrainingTask).data.style_id
            known = self._trainings.setdefault(style_id, row.task.task_id)
            exists = style_id in self._tables.styles
        else:
            order = msgspec.json.decode(row.task.body, type=GenerationTask).data
            known = self._attempts.setdefault((order.generation_id, order.attempt), row.task.task_id)
            exists = order.generation_id in self._tables.generations
        if not exists:
            raise Broken(f"there is a task for what does not exist: {row.task.body.decode()}")
        if known != row.task.task_id:
            raise Broken(f"there are two tasks for one attempt: {row.task.body.decode()}")

    def _check_style(self, style: Style) -> None:
        self._note(f"  style {style.id} is {style.training_status.value}")
        if self._trainings.get(style.id) != style.task_id:
            raise Broken(f"style {style.id} has no task")

    # --- purchases and users ------------------------------------------------------------------------------------------

    def _check_purchase(self, order_id: OrderId) -> None:
        purchase = self._tables.purchases.get(order_id)
        credits = self._credits[order_id]
        if purchase is None:
            raise Broken(f"purchase {order_id} brought tokens, but does not exist: {credits}")
        self._note(f"  purchase {order_id} is {purchase.status.value}")
        paid = purchase.status is PurchaseStatus.PAID
        if order_id in self._paid and not paid:
            raise Broken(f"purchase {order_id} was paid, and is {purchase.status.value}")
        expected = [(wallet(purchase.user_id), purchase.amount_tokens)] if paid else []
        if [(credit.credit, credit.amount) for credit in credits] != expected:
            raise Broken(f"purchase {order_id} is {purchase.status.value}, and was credited by {credits}")
        if paid:
            self._paid.add(order_id)
            if not _pays(self._payments[str(purchase.payment_key)], purchase):
                raise Broken(f"purchase {order_id} is paid, but the provider took no such money")

    def _check_user(self, user_id: UserId) -> None:
        user: User | None = self._tables.users.get(user_id)
        amounts = [bonus.amount for bonus in self._bonuses[user_id]]
        if user is None or amounts != [WELCOME_TOKENS]:
            raise Broken(f"user {user_id} has been given {amounts}")
        if self._identities.setdefault((user.provider, user.subject), user_id) != user_id:
            raise Broken(f"users {self._identities[user.provider, user.subject]} and {user_id} are the same person")

    def check_end(self) -> None:
        """What holds once everything has ended. Raises Broken."""
        self.check_all()
        purchases = self._tables.purchases
        for payment in self._payments.values():
            purchase = purchases.get(payment.order_id)
            if purchase and _pays(payment, purchase) and purchase.status is not PurchaseStatus.PAID:
                raise Broken(f"purchase {purchase.order_id} is {purchase.status.value}, but its money was taken")
        held = {account: funds for account, funds in self._tables.funds.items() if funds.held}
        if held:
            raise Broken(f"tokens are still on hold: {held}")


def _the(keys: list[object], kind: Callable[..., Key]) -> list[Key]:
    """The keys, as what they are."""
    return cast("list[Key]", keys)


def _check_terms(generation: Generation, entry: Entry) -> None:
    terms = (entry.debit, entry.credit, entry.amount)
    if terms != (wallet(generation.owner_id), earnings(generation.artist_id), generation.consumed_tokens):
        raise Broken(f"entry {entry.id} is not what generation {generation.id} costs: {entry}")


def _pays(payment: Payment, purchase: Purchase) -> bool:
    return (payment.order_id, payment.state, payment.amount, payment.currency_code) == (
        purchase.order_id,
        PaymentState.TAKEN,
        Decimal(purchase.total_price),
        purchase.currency_code,
    )


def _name(account: Account) -> str:
    return account.kind.value if account.owner is None else f"{account.kind.value} of {account.owner}"
