from collections.abc import Awaitable, Callable
from functools import partial

from adapters.memory.payment_provider import MemoryPaymentProvider
from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentProvider, PaymentsUnavailable
from core.purchases.payment import Payment, PaymentFailure
from tests.simulation.faults import Faults

AWAY = 0.08
UNHEARD = 0.08
SLOW = 0.2
DOUBLED = 0.1


class FaultyPayments(PaymentProvider):
    """An unreliable payment provider: calls fail, answers get lost or arrive late."""

    def __init__(
        self,
        provider: MemoryPaymentProvider,
        faults: Faults,
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._provider = provider
        self._faults = faults
        self._pause = pause

    async def checkout(self, order: Order) -> str:
        await self._there()
        url = await self._provider.checkout(order)
        await self._back()
        return url

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> Payment | None:
        await self._there()
        payment = await self._provider.confirm(order_id, payment_key=payment_key, amount=amount)
        await self._back()
        return payment

    async def cancel(
        self, payment_key: str, *, amount: int, reason: str, idempotency_key: str
    ) -> Payment | PaymentFailure:
        """Perhaps the call comes twice."""
        await self._there()
        call = partial(
            self._provider.cancel, payment_key, amount=amount, reason=reason, idempotency_key=idempotency_key
        )
        if self._faults.strike(DOUBLED):
            await call()
            await self._pause(3)
        answer = await call()
        await self._back()
        return answer

    async def payment(self, payment_key: str) -> Payment | None:
        await self._there()
        payment = await self._provider.payment(payment_key)
        await self._back()
        return payment

    async def payment_of(self, order_id: OrderId) -> Payment | None:
        await self._there()
        payment = await self._provider.payment_of(order_id)
        await self._back()
        return payment

    async def _there(self) -> None:
        await self._pause(3 if self._faults.strike(SLOW) else 0)
        if self._faults.strike(AWAY):
            raise PaymentsUnavailable

    async def _back(self) -> None:
        await self._pause(3 if self._faults.strike(SLOW) else 0)
        if self._faults.strike(UNHEARD):
            raise PaymentsUnavailable
