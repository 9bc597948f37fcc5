import msgspec

from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import NotRefundable, PaymentMismatch
from core.purchases.packages import PACKAGES
from core.purchases.payment import Payment, PaymentState
from core.purchases.request_refund import RequestRefund
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import StartedPurchase
from core.requester import Requester
from tests.simulation.actions.base import Action, Actions
from tests.simulation.idempotent_call import TWINS

LOST, DOUBLED, LATE = 0.15, 0.2, 0.1
REFUSED, BY_HAND = 0.2, 0.1


class Purchases(Actions):
    """Buy tokens: every order with a key, some never paid."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        if not self.person.orders:
            return {self._buy: 6}
        return {self._buy: 3, self._pay: 9, self._charge_back: 0.5, self._refund: 0.5}

    async def _buy(self, requester: Requester) -> None:
        package, other = self.random.choices(PACKAGES, k=2)
        answer = await self.call_once(
            requester,
            self.new_key(),
            StartPurchase,
            requester.id,
            package.package_id,
            name=lambda started: f"purchase:{started.order_id}",
            refusals=(PaymentsUnavailable,),
            other=(requester.id, other.package_id),
        )
        if answer:
            started = msgspec.json.decode(answer.body, type=StartedPurchase)
            self.person.orders.append(started)
            self.stage.orders.append(started.order_id)

    async def _pay(self, requester: Requester) -> None:
        """Any action at the payment page; then the browser returns, and the provider sends its webhook."""
        order = self.random.choice(self.person.orders[-3:])
        payment = self._payment_of(order)
        payments = self.stage.world.payments
        if payment.state is PaymentState.PENDING:
            match self.random.randrange(12):
                case 0:
                    payments.give_up(order.order_id)
                case 1:
                    payments.refuse(order.order_id)
                    payments.agree(order.order_id)
                case 2 if self.stage.world.clock.now() < order.expires_at:
                    payments.charge(order.order_id, amount=self.random.choice([None, 1]))
                case _:
                    payments.agree(order.order_id)
        self._come_back(order, payment.key)
        self._tell(order, payment.key)

    async def _refund(self, requester: Requester) -> None:
        """Perhaps twice at once, or after spending. Perhaps the provider refuses, or somebody there cancels too."""
        order = self.recent(self.person.orders)
        payment, payments = self._payment_of(order), self.stage.world.payments
        if self.stage.faults.strike(REFUSED):
            payments.refuse_to_refund(order.order_id)
        else:
            payments.agree_to_refund(order.order_id)

        async def ask() -> None:
            await self.stage.call(RequestRefund, requester.id, order.order_id, refusals=(NotRefundable,))

        if self.stage.faults.strike(TWINS):
            self.stage.begin("twin", ask)
        await ask()
        if payment.state is PaymentState.CAPTURED and self.stage.faults.strike(BY_HAND):
            payments.refund(order.order_id, left=0)
            self._tell(order, payment.key)

    async def _charge_back(self, _: Requester) -> None:
        """The bank takes back some or all of the money, sometimes of spent tokens."""
        order = self.random.choice(self.person.orders)
        payment = self._payment_of(order)
        left = self.random.choice([0, order.total_price // 2, order.total_price - 1])
        if payment.state is PaymentState.CAPTURED and left < payment.amount:
            self.stage.world.payments.refund(order.order_id, left=left)
            self._tell(order, payment.key)

    def _come_back(self, order: StartedPurchase, key: str) -> None:
        amount = order.total_price
        if self.makes_mistake():
            amount += self.random.choice([-1, 1, -amount])
        if self.makes_mistake():
            key = "payment-1"

        async def come_back() -> None:
            self.stage.settling += 1
            try:
                await self.stage.call(
                    SettlePurchase,
                    order.order_id,
                    payment_key=key,
                    amount=amount,
                    refusals=(PaymentMismatch, PaymentsUnavailable),
                )
            finally:
                self.stage.settling -= 1

        for _ in range(self._copies()):
            self.stage.begin("return page", come_back)

    def _tell(self, order: StartedPurchase, key: str) -> None:
        async def report() -> None:
            if self.stage.faults.strike(LATE):
                await self.stage.pause(self.random.randrange(1200))
            await self.stage.call(
                CheckPurchase,
                order.order_id,
                payment_key=key,
                refusals=(PaymentMismatch, PaymentsUnavailable),
            )

        for _ in range(self._copies()):
            self.stage.begin("payment webhook", report)

    def _copies(self) -> int:
        if self.stage.faults.strike(LOST):
            return 0
        return 2 if self.stage.faults.strike(DOUBLED) else 1

    def _payment_of(self, order: StartedPurchase) -> Payment:
        return self.stage.world.payments.payments[order.payment_url.rpartition("/")[2]]
