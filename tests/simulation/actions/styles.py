from contextlib import suppress
from io import BytesIO

import msgspec

from core.accounts.errors import AlreadyArtist, ArtistNameTaken, EmailNotVerified
from core.accounts.upgrade_to_artist import UpgradeToArtist
from core.artwork_uploads.announce_uploads import AnnounceUploads, FileToUpload
from core.artwork_uploads.arrived_uploads import UploadedArtwork
from core.artwork_uploads.create_version import CreateVersion, NewVersion
from core.artwork_uploads.errors import UnusableUpload, UploadLimitReached
from core.artwork_uploads.model import LIFETIME, prefix
from core.errors import Forbidden
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.identifiers import StyleId, UserId
from core.paging import PageRequest
from core.ports.blob_store import Blob
from core.requester import Requester
from core.styles.create_style import CreateStyle, TrainingImage
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.errors import (
    DuplicateStyleName,
    InsufficientImages,
    StyleLimitReached,
    StyleNotFound,
    StyleNotReady,
    StyleWithdrawn,
    TrainingInProgress,
    VersionInTraining,
    VersionLimitReached,
    VersionNotFound,
    VersionNotReady,
)
from core.styles.new_style import NewStyle
from core.styles.retrain_style import RetrainStyle
from core.styles.version import MIN_ARTWORKS
from core.styles.views import CreatedStyle
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.uploads import Upload
from tests.simulation.actions.base import Action, Actions
from tests.simulation.actions.images import REFUSALS as REQUEST_REFUSALS

PRICES = (1, 7, 30, 60, 250, 1_500)
NAMES = ("Ink", "Chalk", "Rust", "Ash", "Clay")
DENIED = (Forbidden, StyleNotFound)
LEFT = (StyleWithdrawn, *DENIED)


class Styles(Actions):
    """Become an artist, and create, edit, retrain, delete and withdraw styles, and train and choose versions."""

    def available_to(self, requester: Requester) -> dict[Action, float]:
        if not self.person.is_artist:
            return {}
        if not requester.is_artist:
            return {self._become_artist: 4}
        actions: dict[Action, float] = {self._create: 6}
        if self.person.styles:
            actions |= {self._edit: 4, self._retrain: 3, self._delete: 1, self._withdraw: 1.5}
            actions |= {self._train_again: 16, self._choose: 14}
        return actions

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
        """Change the price, close the style or open it again."""
        active = self.random.random() < 0.8
        changes = StyleChanges(generation_cost_tokens=self.random.choice(PRICES), is_active=active)
        await self.stage.call(EditStyle, requester.id, self._one(), changes, refusals=(StyleNotReady, *LEFT))

    async def _retrain(self, requester: Requester) -> None:
        """A version whose uploads were still being checked when it was timed out has no artworks."""
        refusals = (TrainingInProgress, InsufficientImages, *LEFT)
        await self.stage.call(RetrainStyle, requester.id, self._one(), refusals=refusals)

    async def _train_again(self, requester: Requester) -> None:
        """On one more picture, which has to be used before it expires."""
        announced_at = self.stage.world.clock.now()
        style_id = self.random.choice(await self._usable(requester) or self.person.styles)
        announced = await self.stage.call(
            AnnounceUploads, requester, [FileToUpload("more.png", "image/png", 9)], refusals=(UploadLimitReached,)
        )
        if announced:
            [upload] = announced
            key = f"{prefix(requester.id)}{upload.upload_id}"
            await self.stage.world.blobs.put(Blob(key, BytesIO(b"a picture"), "image/png"))
            try:
                await self.stage.call(
                    *(CreateVersion, requester.id, style_id, NewVersion(), [UploadedArtwork(upload.upload_id)]),
                    refusals=(VersionNotReady, VersionInTraining, VersionLimitReached, *LEFT),
                )
            except UnusableUpload:
                if self.stage.world.clock.now() < announced_at + LIFETIME:
                    raise

    async def _choose(self, requester: Requester) -> None:
        """A trained version, and else any, while others request images with the one in use."""
        others = await self._trained_versions(requester)
        style_id, version = self.random.choice(others or [(self._one(), self.random.choice((1, 2, 3)))])
        for user_id in self.stage.users[:3]:
            self._request_last(user_id, style_id)
        changes = StyleChanges(version=version)
        refusals = (StyleNotReady, VersionNotFound, VersionNotReady, *LEFT)
        await self.stage.call(EditStyle, requester.id, style_id, changes, refusals=refusals)

    async def _delete(self, requester: Requester) -> None:
        """It is closed if images were asked for with it."""
        await self.stage.call(DeleteStyle, requester.id, self._one(), refusals=DENIED)

    async def _withdraw(self, requester: Requester) -> None:
        """Withdraw a usable style, while others request images of it."""
        usable = await self._usable(requester)
        if not usable:
            return
        style_id = self.random.choice(usable)
        for user_id in self.stage.users:
            self._request_last(user_id, style_id)
        takedown = NewTakedown("No more.", keep_images=self.random.random() < 0.5)
        await self.stage.call(WithdrawStyle, requester, style_id, takedown, refusals=DENIED)

    async def _usable(self, requester: Requester) -> list[StyleId]:
        own = await self.stage.world.read.styles.list_own(requester.id, page=PageRequest())
        return [card.id for card in own.rows if card.training_status == "completed"]

    async def _trained_versions(self, requester: Requester) -> list[tuple[StyleId, int]]:
        """Those that are not in use."""
        found: list[tuple[StyleId, int]] = []
        for style_id in await self._usable(requester):
            with suppress(StyleNotFound):  # it was deleted meanwhile
                cards = await self.stage.world.read.versions.list(style_id, viewer=requester)
                trained = [card for card in cards if card.training_status == "completed" and not card.in_use]
                found += [(style_id, card.version) for card in trained]
        return found

    def _request_last(self, user_id: UserId, style_id: StyleId) -> None:
        async def request() -> None:
            new = NewGeneration(style_id, ["the last"])
            await self.stage.call(RequestGeneration, user_id, new, refusals=REQUEST_REFUSALS)

        self.stage.begin("last request", request)

    def _one(self) -> StyleId:
        return self.random.choice(self.stage.styles if self.makes_mistake() else self.person.styles)
