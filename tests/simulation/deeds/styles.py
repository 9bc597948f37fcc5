from io import BytesIO

import msgspec

from core.accounts.errors import AlreadyArtist, ArtistNameTaken, EmailNotVerified
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.errors import Forbidden
from core.identifiers import StyleId
from core.requester import Requester
from core.styles.create_style import CreateStyle, NewStyle, TrainingImage
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import (
    DuplicateStyleName,
    StyleLimitReached,
    StyleNotFound,
    StyleNotReady,
    TrainingInProgress,
)
from core.styles.model import MIN_ARTWORKS
from core.styles.retrain_style import RetrainStyle
from core.styles.views import CreatedStyle
from core.uploads import Upload
from tests.simulation.deeds.base import Deed, Deeds

PRICES = (1, 7, 30, 60, 250, 1_500)
NAMES = ("Ink", "Chalk", "Rust")
DENIED = (Forbidden, StyleNotFound)


class Styles(Deeds):
    """Becoming an artist, and keeping one's styles."""

    def open_to(self, requester: Requester) -> dict[Deed, float]:
        if not self.person.draws:
            return {}
        if not requester.is_artist:
            return {self._become_artist: 4}
        deeds: dict[Deed, float] = {self._create: 6}
        if self.person.styles:
            deeds |= {self._edit: 4, self._retrain: 3, self._delete: 1}
        return deeds

    async def _become_artist(self, requester: Requester) -> None:
        await self.stage.call(
            UpgradeToArtist,
            requester,
            artist_name=str(self.person.identity.name),
            verified_email=str(self.person.identity.email),
            signature=BytesIO(b"a signature"),
            refusals=(AlreadyArtist, ArtistNameTaken, EmailNotVerified),
        )

    async def _create(self, requester: Requester) -> None:
        uploads = [TrainingImage(Upload(f"{index}.png", 9, BytesIO(b"a picture"))) for index in range(MIN_ARTWORKS)]
        new = NewStyle(self.random.choice(NAMES), self.random.choice(PRICES), "A style")
        answer = await self.call_once(
            requester,
            self.new_key(),
            CreateStyle,
            requester,
            new,
            uploads,
            name=lambda created: f"style:{created.id}",
            refusals=(DuplicateStyleName, StyleLimitReached),
            other=(requester, msgspec.structs.replace(new, generation_cost_tokens=2), uploads),
        )
        if answer:
            created = msgspec.json.decode(answer.body, type=CreatedStyle)
            self.stage.styles.append(created.id)
            self.person.styles.append(created.id)

    async def _edit(self, requester: Requester) -> None:
        """Another price, or closed, or open again."""
        active = self.random.random() < 0.8
        changes = StyleChanges(generation_cost_tokens=self.random.choice(PRICES), is_active=active)
        await self.stage.call(EditStyle, requester.id, self._one(), changes, refusals=(StyleNotReady, *DENIED))

    async def _retrain(self, requester: Requester) -> None:
        await self.stage.call(RetrainStyle, requester.id, self._one(), refusals=(TrainingInProgress, *DENIED))

    async def _delete(self, requester: Requester) -> None:
        """It is closed if images were asked for with it."""
        await self.stage.call(DeleteStyle, requester.id, self._one(), refusals=DENIED)

    def _one(self) -> StyleId:
        return self.random.choice(self.stage.styles if self.errs() else self.person.styles)
