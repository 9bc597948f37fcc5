"""Repeats transfers that were made already; the ledger has to refuse them."""

from contextlib import suppress
from dataclasses import dataclass

import msgspec

from core.generations.errors import GenerationNotFound
from core.generations.model import Generation
from core.ports.transaction import OutcomeUnknown
from core.tokens.errors import DuplicateTransfer, HoldAlreadyResolved, InsufficientTokens
from core.tokens.model import welcome_bonus
from tests.simulation.person import Person
from tests.simulation.stage import Stage
from tests.support.scope import Scope
from tests.support.world import hold_for

PAUSE = 5.0
EXPECTED = (DuplicateTransfer, HoldAlreadyResolved, InsufficientTokens, GenerationNotFound, OutcomeUnknown)


@dataclass(frozen=True, slots=True)
class Replayer:
    stage: Stage
    people: list[Person]

    async def run(self) -> None:
        random = self.stage.random
        while not self.stage.closing:
            await self.stage.pause(random.random() * PAUSE)
            person = random.choice(self.people)
            replay = random.choice([self._bonus, self._credit, self._hold, self._resolution])
            scope = self.stage.world.scope()
            with suppress(*EXPECTED):
                async with scope.transaction:
                    await replay(scope, person)

    async def _bonus(self, scope: Scope, person: Person) -> None:
        if person.signed_in and person.welcomed:
            await scope.ledger.transfer(welcome_bonus(person.signed_in.user_id, at=self.stage.world.clock.now()))

    async def _credit(self, scope: Scope, person: Person) -> None:
        if person.orders:
            purchase = await scope.purchases.of_order(self.stage.random.choice(person.orders).order_id)
            if purchase.status.credited:
                await scope.ledger.transfer(purchase.credit())

    async def _hold(self, scope: Scope, person: Person) -> None:
        if generation := await self._generation(scope, person):
            hold = msgspec.structs.replace(hold_for(generation), id=await self.stage.world.ids.hold())
            await scope.ledger.hold(hold)

    async def _resolution(self, scope: Scope, person: Person) -> None:
        generation = await self._generation(scope, person)
        if generation and generation.status.ended:
            resolve = self.stage.random.choice([scope.ledger.post, scope.ledger.void])
            await resolve(generation.hold_id, at=self.stage.world.clock.now())

    async def _generation(self, scope: Scope, person: Person) -> Generation | None:
        if not person.generations:
            return None
        return await scope.generations.of_id(self.stage.random.choice(person.generations))
