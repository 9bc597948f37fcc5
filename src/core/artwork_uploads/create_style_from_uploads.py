from dataclasses import dataclass

from core.accounts.errors import ArtistOnly
from core.artwork_uploads.arrived_uploads import ArrivedUploads, UploadedArtwork, used
from core.artwork_uploads.model import ArtworkCheck
from core.artwork_uploads.repository import ArtworkChecks, ArtworkUploads
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.transaction import Transaction
from core.requester import Requester
from core.styles.new_style import NewStyle, StylesPerArtist, checked
from core.styles.repository import Styles
from core.styles.views import CreatedStyle


@dataclass(frozen=True, slots=True)
class CreateStyleFromUploads:
    """Create a style from uploads that have arrived. CheckArtworks checks them and queues the training.

    A refusal leaves the uploads unused, so that what is missing can be sent.
    """

    arrived: ArrivedUploads
    uploads: ArtworkUploads
    checks: ArtworkChecks
    styles: Styles
    transaction: Transaction
    ids: Ids
    clock: Clock
    limit: StylesPerArtist

    async def __call__(self, requester: Requester, new: NewStyle, artworks: list[UploadedArtwork]) -> CreatedStyle:
        if not requester.is_artist:
            raise ArtistOnly
        now, artist = self.clock.now(), requester.id
        described = checked(new, [artwork.text for artwork in artworks], at=now)
        upload_ids = [artwork.upload_id for artwork in artworks]
        async with self.transaction:  # an early refusal; checked again under a lock at the end
            described.check_portfolio(await self.styles.portfolio(artist), self.limit)
            announced = await self.arrived.announced(artist, upload_ids, at=now)
        await self.arrived.check(artist, announced)

        style = described.style(await self.ids.style(), artist, at=now)
        version = described.version(style.id, self.ids.task(), at=now)
        async with self.transaction:
            described.check_portfolio(await self.styles.portfolio(artist, lock=True), self.limit)
            announced = await self.arrived.announced(artist, upload_ids, at=now, lock=True)
            await self.styles.add(style, version, [])
            await self.uploads.save(used(announced, version.id, described.texts))
            await self.checks.start(ArtworkCheck(version.id, style.id, artist, len(announced), now, now))
        return CreatedStyle(style.id, style.name, version.training_status.value, len(announced), style.created_at, None)
