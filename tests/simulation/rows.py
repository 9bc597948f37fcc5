"""What the invariants read from rows."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from core.identifiers import VersionId
from core.purchases.model import Purchase
from core.purchases.payment import Payment, PaymentState
from core.tasks.model import PendingTask, TrainingTask
from core.tokens.model import Account

Key = TypeVar("Key")


def version_of(task: PendingTask) -> VersionId:
    return msgspec.json.decode(task.body, type=TrainingTask).data.style_id


def ids_of(keys: list[object], kind: Callable[..., Key]) -> list[Key]:
    """The keys, as what they are."""
    return cast("list[Key]", keys)


def result_of(looking: Coroutine[Any, Any, Key]) -> Key:
    """The result of a coroutine that does not wait."""
    try:
        looking.send(None)
    except StopIteration as found:
        return cast("Key", found.value)
    raise RuntimeError("it waits")


def pays(payment: Payment, purchase: Purchase) -> bool:
    return (payment.order_id, payment.state, payment.amount, payment.currency_code) == (
        purchase.order_id,
        PaymentState.CAPTURED,
        Decimal(purchase.total_price),
        purchase.currency_code,
    )


def name_of(account: Account) -> str:
    return account.kind.value if account.owner is None else f"{account.kind.value} of {account.owner}"
