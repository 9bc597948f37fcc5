from dataclasses import dataclass

from core.identifiers import StyleId, UserId
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.styles.begin_training import BeginTraining
from core.styles.errors import InsufficientImages
from core.styles.repository import Styles, StyleVersions
from core.styles.version import MIN_ARTWORKS
from core.styles.views import CreatedStyle


@dataclass(frozen=True, slots=True)
class RetrainStyle:
    """Retry the failed training of the latest version of one's own style, with the same images."""

    styles: Styles
    versions: StyleVersions
    begin_training: BeginTraining
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, requester: UserId, style_id: StyleId) -> CreatedStyle:
        async with self.transaction:
            style = await self.styles.of_id(style_id, lock=True)
            style.check_owner(requester)
            style.check_not_withdrawn()
            version = await self.versions.latest(style_id, lock=True)
            version = version.retrain(at=self.clock.now(), task_id=self.ids.task())
            artworks = await self.versions.artworks(version.id)
            if not artworks:
                raise InsufficientImages(required=MIN_ARTWORKS, received=0)
            await self.versions.save(version)
            await self.begin_training.at_once(style, version, artworks)
        return CreatedStyle(style.id, style.name, version.training_status.value, len(artworks), style.created_at, None)
