import msgspec

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
from core.generations.views import RequestedGeneration
from core.identifiers import GenerationId, StyleId
from core.paging import PageRequest
from core.requester import Requester
from core.styles.errors import ImagesWithdrawn, StyleNotFound, StyleNotReady
from core.styles.views import StyleQuery
from core.tokens.errors import DebtOutstanding, InsufficientTokens
from tests.simulation.actions.base import Action, Actions

REFUSALS = (DebtOutstanding, InsufficientTokens, StyleNotFound, StyleNotReady)


OWN = 0.4
LISTED = 0.7
"""Share of requests for a style that is listed, and so usable at that moment."""


class Images(Actions):
    """Request, cancel and publish generations."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        actions: dict[Action, float] = {}
        if self.stage.styles:
            actions |= {self._generate: 8, self._generate_once: 8}
        if self.person.styles:
            actions |= {self._generate_own: 6}
        if self.person.generations:
            actions |= {self._cancel: 4, self._publish: 6}
        return actions

    async def _generate(self, requester: Requester) -> None:
        new = NewGeneration(await self._style(), ["a tag"])
        requested = await self.stage.call(RequestGeneration, requester.id, new, refusals=REFUSALS)
        if requested:
            self.person.generations.append(requested.id)

    async def _generate_own(self, requester: Requester) -> None:
        """Request an image of one's own style, to withdraw the payment."""
        new = NewGeneration(self.recent(self.person.styles), ["a tag"])
        requested = await self.stage.call(RequestGeneration, requester.id, new, refusals=REFUSALS)
        if requested:
            self.person.generations.append(requested.id)

    async def _generate_once(self, requester: Requester) -> None:
        """The description is the idempotency key."""
        key = self.new_key()
        new, other = [NewGeneration(await self._style(), ["a tag"], key) for _ in range(2)]
        answer = await self.call_once(
            requester,
            key,
            RequestGeneration,
            requester.id,
            new,
            name=lambda requested: f"generation:{requested.id}",
            refusals=REFUSALS,
            other=(requester.id, other),
        )
        if answer:
            self.person.generations.append(msgspec.json.decode(answer.body, type=RequestedGeneration).id)

    async def _style(self) -> StyleId:
        """A usable one from the list, one of the user's own, or one of the newest, usable or not."""
        if self.random.random() < LISTED:
            page = await self.stage.world.read.styles.list(StyleQuery(), page=PageRequest())
            if page.rows:
                return StyleId(self.random.choice(page.rows).id)
        own = self.person.styles
        return self.random.choice(own) if own and self.random.random() < OWN else self.recent(self.stage.styles)

    async def _cancel(self, requester: Requester) -> None:
        await self.stage.call(
            CancelGeneration,
            requester.id,
            GenerationId(self.random.randrange(1, 50))
            if self.makes_mistake()
            else self.recent(self.person.generations),
            refusals=(GenerationEnded, GenerationStillProcessing, GenerationNotFound),
        )

    async def _publish(self, requester: Requester) -> None:
        changes = GenerationChanges(is_public=self.random.random() < 0.8)
        await self.stage.call(
            EditGeneration,
            requester.id,
            self.recent(self.person.generations),
            changes,
            refusals=(GenerationNotCompleted, GenerationChanged, ImagesWithdrawn),
        )
