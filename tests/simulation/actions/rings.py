from core.generations.request_generation import NewGeneration, RequestGeneration
from core.requester import Requester
from tests.simulation.actions.base import Action, Actions
from tests.simulation.actions.images import REFUSALS


class Rings(Actions):
    """Spend welcome tokens on the artist of one's ring, and go on with a new account."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        ring = self.person.ring
        return {self._spend: 8, self._start_over: 1} if ring and ring.styles else {}

    async def _spend(self, requester: Requester) -> None:
        if (ring := self.person.ring) and ring.styles:
            new = NewGeneration(self.recent(ring.styles), ["a tag"])
            await self.stage.call(RequestGeneration, requester.id, new, refusals=REFUSALS)

    async def _start_over(self, _: Requester) -> None:
        self.person.forget()
        self.person.change_identity()
