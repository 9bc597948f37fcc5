"""Calls with an idempotency key that may be repeated, also concurrently, as HTTP passes them to the use cases."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from core.errors import Category, DomainError
from core.identifiers import UserId
from core.ports.idempotency import AlreadyAnswered, Answer, Call, IdempotencyKeyReused
from tests.simulation.stage import Stage
from tests.support.scope import Scope

TWINS = 0.3
"""Share of calls that are repeated."""
ANOTHER = 0.1
"""Share of repeated calls that have another body with the same key."""


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """One call, to be made any number of times."""

    stage: Stage
    user_id: UserId
    key: str
    kind: type[Any]
    args: tuple[object, ...]
    name: Callable[[Any], str]
    """The id in the response's Location."""
    refusals: tuple[type[DomainError], ...]

    async def __call__(self) -> Answer | None:
        """Its response, from now or before; None after a refusal."""
        try:
            scope = self.stage.world.scope()
            async with scope.call:
                return await self._make(scope)
        except AlreadyAnswered as known:
            self.stage.note_answer(f"{self.kind.__name__} again", known.answer.headers)
            return known.answer
        except DomainError as refusal:
            if not self.stage.expected(refusal, IdempotencyKeyReused, *self.refusals):
                raise
            self.stage.note(f"{self.kind.__name__} refuses: {refusal.code}")
            return None

    async def _make(self, scope: Scope) -> Answer:
        fingerprint = sha256(repr(self.args).encode()).digest()
        await scope.call.begin(Call(self.user_id, self.key, fingerprint, self.stage.world.clock.now()))
        try:
            made = await self.stage.world.use_case(self.kind, scope, **self.stage.ports())(*self.args)
        except DomainError as refusal:
            if refusal.category is not Category.UNAVAILABLE:
                await scope.call.refuse()
            raise
        answer = Answer(201, {"location": self.name(made)}, msgspec.json.encode(made))
        await scope.call.finish(answer)
        self.stage.note_answer(self.kind.__name__, made)
        return answer
