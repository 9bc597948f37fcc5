"""Tokens bought on the sandbox's payment page over HTTP: on embedded parts, and on real ones."""

import asyncio
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.end_to_end.conftest import NewUsers
from tests.end_to_end.service import Person

WELCOME = 100


async def start(buyer: Person, package_id: str = "standard_500") -> Any:
    return await buyer.ask("POST", "/api/tokens/purchase", json={"package_id": package_id})


async def choose(buyer: Person, purchase: Any, choice: str) -> str:
    """Where the payment page sends the browser then."""
    page = await buyer.browser.get(purchase["payment_url"])
    assert page.status_code == httpx.codes.OK
    assert "KRW 45,000" in page.text
    answer = await buyer.browser.post(purchase["payment_url"], data={"choice": choice})
    assert answer.status_code == httpx.codes.SEE_OTHER
    return answer.headers["Location"]


async def go(buyer: Person, url: str) -> str:
    """Where the service sends the browser that comes back."""
    answer = await buyer.browser.get(url)
    assert answer.is_redirect
    return urljoin(str(answer.url), answer.headers["Location"])


async def tokens(buyer: Person) -> int:
    balance: int = (await buyer.get("/api/tokens/balance"))["token_balance"]
    return balance


async def state(buyer: Person, purchase: Any) -> Any:
    return await buyer.get(f"/api/tokens/purchases/{purchase['order_id']}")


async def test_paid_tokens_are_credited_before_the_redirect(new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")
    purchase = await start(buyer)
    assert (await state(buyer, purchase))["status"] == "pending"

    back = await choose(buyer, purchase, "pay")
    assert await tokens(buyer) == WELCOME
    shown = httpx.URL(await go(buyer, back))
    assert (shown.path, shown.params["status"]) == ("/purchases", "paid")
    assert "the tokens are yours" in (await buyer.browser.get(shown)).text

    assert await tokens(buyer) == WELCOME + 500
    assert (await state(buyer, purchase))["status"] == "paid"
    [line] = (await buyer.get("/api/tokens/transactions?type=purchase"))["results"]
    assert (line["amount"], line["total_price"], line["currency_code"]) == (500, 45_000, "KRW")
    assert line["related_purchase"] == {"order_id": purchase["order_id"]}


async def test_concurrent_returns_credit_once(new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")
    back = await choose(buyer, await start(buyer), "pay")

    shown = await asyncio.gather(*(go(buyer, back) for _ in range(32)))

    assert {httpx.URL(url).params["status"] for url in shown} <= {"paid", "pending"}
    assert await tokens(buyer) == WELCOME + 500


@pytest.mark.parametrize(
    ("choice", "failure"), [("refused", "REJECT_CARD_PAYMENT"), ("decline", "PAY_PROCESS_CANCELED")]
)
async def test_an_unpaid_purchase_credits_nothing(new_users: NewUsers, choice: str, failure: str) -> None:
    buyer = await new_users.one("buyer")
    purchase = await start(buyer)

    shown = await go(buyer, await choose(buyer, purchase, choice))

    assert httpx.URL(shown).params["status"] == "failed"
    assert (await state(buyer, purchase))["failure"]["code"] == failure
    assert await tokens(buyer) == WELCOME


async def test_a_forged_webhook_credits_nothing(new_users: NewUsers) -> None:
    buyer = await new_users.one("buyer")
    purchase = await start(buyer)
    key = purchase["payment_url"].rpartition("/")[2]
    payment = {"paymentKey": key, "orderId": purchase["order_id"], "status": "DONE", "totalAmount": 45_000}

    answer = await buyer.browser.post(
        "/api/webhooks/toss/payment", json={"eventType": "PAYMENT_STATUS_CHANGED", "data": payment}
    )

    assert answer.status_code == httpx.codes.OK
    assert (await state(buyer, purchase))["status"] == "pending"
    assert await tokens(buyer) == WELCOME
