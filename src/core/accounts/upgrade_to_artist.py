from dataclasses import dataclass
from typing import BinaryIO

from core.accounts.errors import AlreadyArtist
from core.accounts.model import Artist
from core.accounts.pictures import accept_picture, signature_key
from core.accounts.repository import Users
from core.blobs.removed_on_failure import put_all, removed_on_failure
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.images import Images
from core.ports.secrets import Secrets
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.requester import Requester
from core.text import parse_name
from core.tokens.model import earnings


@dataclass(frozen=True, slots=True)
class UpgradeToArtist:
    """Make a user an artist, with the signature that is stamped on their styles' images."""

    users: Users
    ledger: TokenLedger
    blobs: BlobStore
    images: Images
    transaction: Transaction
    secrets: Secrets
    clock: Clock

    async def __call__(
        self, requester: Requester, *, artist_name: str, verified_email: str, signature: BinaryIO
    ) -> None:
        """Raises AlreadyArtist, ArtistNameTaken, EmailNotVerified, InvalidPicture or ValidationError."""
        if requester.is_artist:
            raise AlreadyArtist
        copy = await accept_picture(self.images, signature, user=requester.id, field="signature_image")
        artist = Artist(
            user_id=requester.id,
            artist_name=parse_name(artist_name),
            verified_email=verified_email.strip(),
            signature_key=signature_key(requester.id, copy, self.secrets),
            created_at=self.clock.now(),
        )
        artist.check_name()
        await put_all(self.blobs, copy.stored_as(artist.signature_key))
        async with removed_on_failure(self.blobs, self.transaction, artist.signature_key):
            user = await self.users.of_id(requester.id, lock=True)
            await self.users.add_artist(artist)
            await self.users.save(user.become_artist(artist.verified_email, at=artist.created_at))
            await self.ledger.open(earnings(requester.id))
