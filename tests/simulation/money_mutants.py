"""The service without one of the safeguards of its ledger and payments."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

import msgspec

from adapters.memory import tokens
from adapters.memory.notifications import MemoryNotifier
from adapters.memory.tables import Entry, Funds, KeptNotification
from adapters.memory.tokens import MemoryTokenLedger
from core.identifiers import HoldId, UserId
from core.notifications.model import Notification, NotificationType
from core.ports.token_ledger import TokenLedger
from core.purchases.carry_out_refunds import CarryOutRefunds
from core.purchases.model import Purchase, PurchaseStatus
from core.purchases.refund import Refund
from core.tokens.model import Hold, PayoutTerms, PlatformFee, Transfer, TransferKind, paid_part
from core.withdrawals.model import Withdrawal, WithdrawalStatus
from tests.simulation.history import Mutant
from tests.simulation.world import SimulatedWorld


@contextmanager
def wallets_below_zero(_: SimulatedWorld) -> Iterator[None]:
    with patch.object(Funds, "available", 1_000_000):
        yield


@contextmanager
def fee_rounded_up(_: SimulatedWorld) -> Iterator[None]:
    def of(self: PlatformFee, tokens: int) -> int:
        return -(-tokens * self.percent // 100)

    with patch.object(PlatformFee, "of", of):
        yield


@contextmanager
def withdrawals_settled_twice(_: SimulatedWorld) -> Iterator[None]:
    def again(self: Withdrawal, *, at: datetime, by: UserId) -> Withdrawal:
        return msgspec.structs.replace(self, status=WithdrawalStatus.SETTLED, ended_at=at, ended_by=by)

    with patch.object(Withdrawal, "settle", again):
        yield


class NeverVoids:
    """A ledger that gives nothing back."""

    def __init__(self, _: TokenLedger) -> None: ...

    async def void(self, hold_id: HoldId, *, at: datetime) -> None: ...


class NeverHolds:
    """A ledger that keeps nothing for later."""

    def __init__(self, _: TokenLedger) -> None: ...

    async def hold(self, hold: Hold) -> None: ...


@contextmanager
def refunds_charged_back_too(_: SimulatedWorld) -> Iterator[None]:
    """What goes back for a refund is taken a second time, as if it had gone back in another way."""

    def taken(self: Purchase, before: Purchase, *, at: datetime) -> Transfer | None:
        return charge_back(self, msgspec.structs.replace(before, status=PurchaseStatus.PAID), at=at)

    charge_back = Purchase.charge_back
    with patch.object(Purchase, "charge_back", taken):
        yield


@contextmanager
def refunds_asked_for_anew(world: SimulatedWorld) -> Iterator[None]:
    """Every attempt has another idempotency key, and nothing is looked up before it."""

    async def went_back(*_: object) -> bool:
        return False

    def key(_: Refund) -> str:
        return world.ids.task()

    with patch.object(CarryOutRefunds, "_went_back", went_back), patch.object(Refund, "key", property(key)):
        yield


def never_notified(type: NotificationType) -> Mutant:
    @contextmanager
    def mutant(_: SimulatedWorld) -> Iterator[None]:
        async def others(self: MemoryNotifier, notification: Notification) -> None:
            if notification.type is not type:
                await notify(self, notification)

        notify = MemoryNotifier.notify
        with patch.object(MemoryNotifier, "notify", others):
            yield

    return mutant


@contextmanager
def refunds_notified_twice(world: SimulatedWorld) -> Iterator[None]:
    """As if each were something new."""

    async def twice(self: MemoryNotifier, notification: Notification) -> None:
        await notify(self, notification)
        if notification.type is NotificationType.PURCHASE_REFUNDED:
            again = {"id": await world.ids.notification(), "reason": f"{notification.reason}:again"}
            await notify(self, msgspec.structs.replace(notification, **again))

    notify = MemoryNotifier.notify
    with patch.object(MemoryNotifier, "notify", twice):
        yield


@contextmanager
def refunds_notified_before_the_commit(world: SimulatedWorld) -> Iterator[None]:
    async def at_once(self: MemoryNotifier, notification: Notification) -> None:
        if notification.type is NotificationType.PURCHASE_REFUNDED:
            row = {notification.id: KeptNotification(notification)}
            world.database.apply([lambda tables: tables.notifications.update(row)])
        else:
            await notify(self, notification)

    notify = MemoryNotifier.notify
    with patch.object(MemoryNotifier, "notify", at_once):
        yield


@contextmanager
def one_bonus_token_as_if_it_was_bought(_: SimulatedWorld) -> Iterator[None]:
    def part(amount: int, *, bonus: int) -> int:
        return min(amount, paid_part(amount, bonus=bonus) + 1)

    with patch.object(tokens, "paid_part", part):
        yield


@contextmanager
def own_images_withdrawable(_: SimulatedWorld) -> Iterator[None]:
    with patch.object(Entry, "own", False):
        yield


@contextmanager
def bonus_withdrawable(_: SimulatedWorld) -> Iterator[None]:
    """Without the adapters' own rule, and whatever has matured."""

    async def withdrawable(*_: object, **__: object) -> int:
        return 1_000_000

    def spendable(funds: Funds, _: TransferKind) -> int:
        return funds.available

    with (
        patch.object(MemoryTokenLedger, "withdrawable", withdrawable),
        patch.object(tokens, "_spendable", spendable),
    ):
        yield


@contextmanager
def earnings_withdrawn_at_once(_: SimulatedWorld) -> Iterator[None]:
    def now(_: PayoutTerms, now: datetime) -> datetime:
        return now

    with patch.object(PayoutTerms, "earned_until", now):
        yield
