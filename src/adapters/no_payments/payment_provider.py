# ruff: noqa: ARG002 - every call fails in the same way
from typing import NoReturn

from core.identifiers import OrderId
from core.ports.payment_provider import Order, PaymentProvider, PaymentsUnavailable


class NoPayments(PaymentProvider):
    async def checkout(self, order: Order) -> NoReturn:
        raise PaymentsUnavailable

    async def confirm(self, order_id: OrderId, *, payment_key: str, amount: int) -> NoReturn:
        raise PaymentsUnavailable

    async def cancel(self, payment_key: str, *, amount: int, reason: str, idempotency_key: str) -> NoReturn:
        raise PaymentsUnavailable

    async def payment(self, payment_key: str) -> NoReturn:
        raise PaymentsUnavailable

    async def payment_of(self, order_id: OrderId) -> NoReturn:
        raise PaymentsUnavailable
