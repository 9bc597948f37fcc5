from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from core.errors import DomainError
from core.ports.idempotency import Answer
from core.requester import Requester
from tests.simulation.idempotent_call import ANOTHER, TWINS, IdempotentCall
from tests.simulation.person import Person
from tests.simulation.stage import Stage

WRONG = 0.1
RECENT = 5

Action = Callable[[Requester], Awaitable[None]]
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Actions(ABC):
    stage: Stage
    person: Person

    @abstractmethod
    def available_to(self, requester: Requester) -> dict[Action, float]:
        """Actions that are possible now, with their relative frequency."""

    @property
    def random(self) -> Random:
        return self.stage.random

    def makes_mistake(self) -> bool:
        return self.stage.faults.strike(WRONG)

    def recent(self, things: Sequence[Thing]) -> Thing:
        return self.random.choice(things[-RECENT:])

    def new_key(self) -> str:
        self.person.keys += 1
        return f"{self.person.identity.name}-{self.person.keys}"

    async def call_once(
        self,
        requester: Requester,
        key: str,
        kind: type[Any],
        *args: object,
        name: Callable[[Any], str],
        refusals: tuple[type[DomainError], ...],
        other: tuple[object, ...] = (),
    ) -> Answer | None:
        """Call with a key, sometimes twice at once, sometimes with `other` the second time."""
        call = IdempotentCall(self.stage, requester.id, key, kind, args, name, refusals)
        if self.stage.faults.strike(TWINS):
            twin = (
                IdempotentCall(self.stage, requester.id, key, kind, other, name, refusals)
                if self._asks_for(other)
                else call
            )

            async def again() -> None:
                await twin()

            self.stage.begin("twin", again)
        return await call()

    def _asks_for(self, other: tuple[object, ...]) -> bool:
        return bool(other) and self.stage.faults.strike(ANOTHER)
