from core.generations.request_generation import NewGeneration, RequestGeneration
from core.requester import Requester
from tests.simulation.deeds.base import Deed, Deeds
from tests.simulation.deeds.images import REFUSALS


class Rings(Deeds):
    """Spend welcome tokens on the artist of one's ring, and go on with a new account."""

    def open_to(self, requester: Requester) -> dict[Deed, float]:
        ring = self.person.ring
        return {self._spend: 8, self._begin_anew: 1} if ring and ring.styles else {}

    async def _spend(self, requester: Requester) -> None:
        if (ring := self.person.ring) and ring.styles:
            new = NewGeneration(self.recent(ring.styles), ["a tag"])
            await self.stage.call(RequestGeneration, requester.id, new, refusals=REFUSALS)

    async def _begin_anew(self, _: Requester) -> None:
        self.person.forget()
        self.person.become_another()
