from dataclasses import dataclass

from core.accounts.repository import Users
from core.identifiers import OrderId, UserId
from core.ports.clock import Clock
from core.ports.payment_provider import Order, PaymentProvider
from core.ports.secrets import Secrets
from core.ports.transaction import Transaction
from core.purchases.model import new_purchase
from core.purchases.packages import package_of
from core.purchases.repository import Purchases
from core.purchases.views import StartedPurchase


@dataclass(frozen=True, slots=True)
class StartPurchase:
    """Start a payment for a package; the tokens are credited when it is captured."""

    users: Users
    purchases: Purchases
    provider: PaymentProvider
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(self, buyer: UserId, package_id: str) -> StartedPurchase:
        package = package_of(package_id)
        order_id = OrderId(self.secrets.token())
        order = Order(order_id, f"{package.amount_tokens} tokens", package.total_price, package.currency_code)
        payment_url = await self.provider.checkout(order)
        purchase = new_purchase(order_id, buyer, package, at=self.clock.now())
        async with self.transaction:
            await self.users.of_id(buyer, lock=True)  # an account being deleted must not start a payment
            await self.purchases.add(purchase)
        return StartedPurchase(
            order_id=purchase.order_id,
            payment_url=payment_url,
            package_id=purchase.package_id,
            amount_tokens=purchase.amount_tokens,
            price_per_token=purchase.price_per_token,
            currency_code=purchase.currency_code,
            total_price=purchase.total_price,
            expires_at=purchase.expires_at,
        )
