"""What the tests of Toss's API share."""

from collections.abc import Awaitable, Callable

from adapters.toss.payment_provider import TossPayments
from core.identifiers import OrderId
from core.ports.payment_provider import Order
from core.purchases.payment import Payment, PaymentFailure
from core.secret import Secret

SECRET_KEY = "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"


ORDER = Order(OrderId("a4CWyWY5m89PNh7xJwhk1"), "500 tokens", 45_000, "KRW")


KEY = "5zJ4xY7m0kODnyRpQWGrN2xqGlNvLrKwv1M9ENjbeoPaZdL6"


def at(url: str) -> TossPayments:
    return TossPayments(Secret(SECRET_KEY), return_url="https://api.example/return", api_base=url)


def a_payment(**changes: object) -> dict[str, object]:
    """The Payment object, version 2022-11-16, of a payment by card."""
    return {
        "mId": "tosspayments",
        "version": "2022-11-16",
        "lastTransactionKey": "B7103F204998813B889C77C043D09502",
        "paymentKey": KEY,
        "orderId": ORDER.order_id,
        "orderName": "500 tokens",
        "currency": "KRW",
        "method": "카드",
        "status": "DONE",
        "requestedAt": "2026-01-02T14:46:43+09:00",
        "approvedAt": "2026-01-02T14:46:58+09:00",
        "useEscrow": False,
        "cultureExpense": False,
        "card": {"issuerCode": "61", "number": "12341234****123*", "amount": 45000},
        "virtualAccount": None,
        "cancels": None,
        "secret": None,
        "type": "NORMAL",
        "country": "KR",
        "failure": None,
        "isPartialCancelable": True,
        "receipt": {"url": "https://dashboard.tosspayments.com/receipt"},
        "checkout": {"url": f"https://api.tosspayments.com/v1/payments/{KEY}/checkout"},
        "totalAmount": 45000,
        "balanceAmount": 45000,
        "suppliedAmount": 40909,
        "vat": 4091,
        "taxFreeAmount": 0,
        "taxExemptionAmount": 0,
        "metadata": None,
        **changes,
    }


def an_error(code: str) -> dict[str, str]:
    return {"code": code, "message": f"{code}, in words"}


async def cancel(toss: TossPayments, reason: str = "Sorry.") -> Payment | PaymentFailure:
    return await toss.cancel(KEY, amount=15_000, reason=reason, idempotency_key="refund:17")


Ask = Callable[[TossPayments], Awaitable[object]]


CALLS: dict[str, Ask] = {
    "checkout": lambda toss: toss.checkout(ORDER),
    "confirm": lambda toss: toss.confirm(ORDER.order_id, payment_key=KEY, amount=45_000),
    "cancel": cancel,
    "payment": lambda toss: toss.payment(KEY),
    "payment_of": lambda toss: toss.payment_of(ORDER.order_id),
}
