"""What the tests of purchases share."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from core.accounts.model import User
from core.identifiers import OrderId
from tests.entrypoints.service import FRONTEND, Browser
from tests.support.memory_world import MemoryWorld


class Buyer:
    """A user with a purchase of 500 tokens for 45,000 won, agreed to on the payment page."""

    def __init__(self, user: User, browser: Browser, world: MemoryWorld, order_id: OrderId) -> None:
        self.user = user
        self.browser = browser
        self.world = world
        self.order_id = order_id
        self.key = world.payments.agree(order_id)

    async def come_back(self, how: str = "success", **changes: object) -> dict[str, str]:
        """Return from the payment page; the parameters that the frontend gets."""
        query = {
            "paymentType": "NORMAL",
            "orderId": self.order_id,
            "paymentKey": self.key,
            "amount": "45000",
            **changes,
        }
        return parameters(await self.browser.get(f"/api/payments/toss/{self.order_id}/{how}", params=query))

    async def tokens(self) -> int:
        balance: int = (await self.browser.get("/api/tokens/balance")).json()["data"]["token_balance"]
        return balance

    async def state(self) -> Any:
        return (await self.browser.get(f"/api/tokens/purchases/{self.order_id}")).json()["data"]


def parameters(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 302
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{FRONTEND}/purchases"
    return {name: values[0] for name, values in parse_qs(location.query).items()}
