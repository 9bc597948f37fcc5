"""Users and artists, each at two screens at once: they race for their own tokens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO

from core.accounts.errors import AlreadyArtist
from core.accounts.model import Requester
from core.accounts.sign_in import SignedIn, SignIn, token_hash
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.generations.cancel_generation import CancelGeneration
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.errors import (
    GenerationChanged,
    GenerationEnded,
    GenerationNotCompleted,
    GenerationNotFound,
    GenerationStillProcessing,
)
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.identifiers import GenerationId
from core.ports.identity_provider import Identity
from core.ports.payment_provider import PaymentsUnavailable
from core.purchases.check_purchase import CheckPurchase
from core.purchases.errors import PaymentMismatch
from core.purchases.packages import PACKAGES
from core.purchases.payment import Payment, PaymentState
from core.purchases.settle_purchase import SettlePurchase
from core.purchases.start_purchase import StartPurchase
from core.purchases.views import StartedPurchase
from core.styles.create_style import CreateStyle, NewStyle, TrainingImage
from core.styles.errors import DuplicateStyleName, StyleLimitReached, StyleNotReady
from core.styles.model import MIN_ARTWORKS
from core.tokens.errors import InsufficientTokens
from tests.simulation.stage import Stage

PRICES = (1, 7, 30, 60, 250, 1_500)
NAMES = ("Ink", "Chalk", "Rust")
THOUGHT = 4.0
"""Seconds between two deeds, on average."""
WRONG = 0.1
LOST, DOUBLED, LATE = 0.15, 0.2, 0.1


@dataclass(slots=True)
class Person:
    """What somebody remembers, whatever happens to a screen."""

    identity: Identity
    draws: bool
    signed_in: SignedIn | None = None
    generations: list[GenerationId] = field(default_factory=list)
    orders: list[StartedPurchase] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a person does one thing after the other."""

    stage: Stage
    person: Person

    async def live(self) -> None:
        stage = self.stage
        while not stage.closing:
            await self._do_something()
            await stage.pause(stage.random.expovariate(1 / THOUGHT))

    async def _do_something(self) -> None:
        signed_in = self.person.signed_in
        if signed_in is None:
            await self._sign_in()
            return
        now = self.stage.world.clock.now()
        requester = await self.stage.world.scope().sessions.requester(token_hash(signed_in.token), at=now)
        if requester is None:
            self.person.signed_in = None
            return
        deeds: dict[Callable[[Requester], Awaitable[None]], int] = {
            self._generate: 8,
            self._cancel: 4,
            self._publish: 2,
            self._buy: 2,
            self._pay: 4,
            self._create_style if requester.is_artist else self._become_artist: 2 if self.person.draws else 0,
        }
        [deed] = self.stage.random.choices(list(deeds), list(deeds.values()))
        await deed(requester)

    async def _sign_in(self) -> None:
        signed_in = await self.stage.call(SignIn, self.person.identity, user_agent="a screen")
        if signed_in:
            self.person.signed_in = signed_in

    async def _become_artist(self, requester: Requester) -> None:
        await self.stage.call(
            UpgradeToArtist,
            requester,
            artist_name=str(self.person.identity.name),
            verified_email=str(self.person.identity.email),
            signature=BytesIO(b"a signature"),
            refusals=(AlreadyArtist,),
        )

    async def _create_style(self, requester: Requester) -> None:
        uploads = [TrainingImage(f"{index}.png", 9, BytesIO(b"a picture")) for index in range(MIN_ARTWORKS)]
        random = self.stage.random
        new = NewStyle(random.choice(NAMES), "A style", random.choice(PRICES))
        style = await self.stage.call(
            CreateStyle, requester, new, uploads, refusals=(DuplicateStyleName, StyleLimitReached)
        )
        if style:
            self.stage.styles.append(style.id)

    async def _generate(self, requester: Requester) -> None:
        if not self.stage.styles:
            return
        new = NewGeneration(self.stage.random.choice(self.stage.styles), ["a tag"])
        asked_for = await self.stage.call(
            RequestGeneration, requester.id, new, refusals=(InsufficientTokens, StyleNotReady)
        )
        if asked_for:
            self.person.generations.append(asked_for.id)

    async def _cancel(self, requester: Requester) -> None:
        if not self.person.generations:
            return
        await self.stage.call(
            CancelGeneration,
            requester.id,
            self._recent() if not self._errs() else GenerationId(self.stage.random.randrange(1, 50)),
            refusals=(GenerationEnded, GenerationStillProcessing, GenerationNotFound),
        )

    async def _publish(self, requester: Requester) -> None:
        if not self.person.generations:
            return
        await self.stage.call(
            EditGeneration,
            requester.id,
            self._recent(),
            GenerationChanges(is_public=self.stage.random.random() < 0.6),
            refusals=(GenerationNotCompleted, GenerationChanged),
        )

    async def _buy(self, requester: Requester) -> None:
        package = self.stage.random.choice(PACKAGES)
        started = await self.stage.call(
            StartPurchase, requester.id, package.package_id, refusals=(PaymentsUnavailable,)
        )
        if started:
            self.person.orders.append(started)

    async def _pay(self, requester: Requester) -> None:
        """Whatever people do at a payment page; then the browser comes back, and the provider tells of it."""
        if not self.person.orders:
            return
        order = self.stage.random.choice(self.person.orders[-3:])
        payment = self._payment_of(order)
        payments = self.stage.world.payments
        if payment.state is PaymentState.OPEN:
            match self.stage.random.randrange(12):
                case 0:
                    payments.give_up(order.order_id)
                case 1:
                    payments.refuse(order.order_id)
                    payments.agree(order.order_id)
                case 2 if self.stage.world.clock.now() < order.expires_at:
                    payments.charge(order.order_id, amount=self.stage.random.choice([None, 1]))
                case _:
                    payments.agree(order.order_id)
        self._come_back(order, payment.key)
        self._tell(order, payment.key)

    def _come_back(self, order: StartedPurchase, key: str) -> None:
        amount = order.total_price
        if self._errs():
            amount += self.stage.random.choice([-1, 1, -amount])
        if self._errs():
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
        async def tell() -> None:
            if self.stage.faults.strike(LATE):
                await self.stage.pause(self.stage.random.randrange(1200))
            await self.stage.call(
                CheckPurchase, order.order_id, payment_key=key, refusals=(PaymentMismatch, PaymentsUnavailable)
            )

        for _ in range(self._copies()):
            self.stage.begin("payment webhook", tell)

    def _copies(self) -> int:
        if self.stage.faults.strike(LOST):
            return 0
        return 2 if self.stage.faults.strike(DOUBLED) else 1

    def _payment_of(self, order: StartedPurchase) -> Payment:
        return self.stage.world.payments.payments[order.payment_url.rpartition("/")[2]]

    def _recent(self) -> GenerationId:
        return self.stage.random.choice(self.person.generations[-5:])

    def _errs(self) -> bool:
        return self.stage.faults.strike(WRONG)


def people(users: int, artists: int) -> list[Person]:
    def person(index: int) -> Person:
        name = f"person{index}"
        return Person(Identity("test", name, f"{name}@example.com", name, None), draws=index < artists)

    return [person(index) for index in range(users + artists)]
