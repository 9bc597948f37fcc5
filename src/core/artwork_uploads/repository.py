from datetime import datetime
from typing import Protocol

from core.artwork_uploads.model import ArtworkCheck, ArtworkUpload
from core.identifiers import UploadId, UserId, VersionId


class ArtworkUploads(Protocol):
    """Uploads that artists have announced, in the open transaction."""

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        """Raises UserNotFound for a deleted account, which may surface at the commit."""
        ...

    async def unused(self, artist_id: UserId, *, since: datetime, lock: bool = False) -> list[ArtworkUpload]:
        """Those announced after `since` that nothing was made of, earliest first."""
        ...

    async def of_artist(self, artist_id: UserId, upload_id: UploadId) -> ArtworkUpload:
        """The artist's own upload, used or not, locked. Raises UploadNotFound."""
        ...

    async def of_version(self, version_id: VersionId) -> list[ArtworkUpload]:
        """Those of which the version is made, in the order of its artworks."""
        ...

    async def save(self, uploads: list[ArtworkUpload]) -> None:
        """Store what they are used for. When the style is removed, they are unused again."""
        ...

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        """Up to `limit` unused ones announced at `until` or earlier, locked; rows locked by others are skipped."""
        ...

    async def remove(self, upload_ids: list[UploadId]) -> None:
        """Missing ones are no error."""
        ...


class ArtworkChecks(Protocol):
    """Checks that are not finished, in the open transaction. A check goes with its version.

    Only the holder of the last claim changes a check: others, and those whose check is gone, get CheckTakenOver.
    """

    async def start(self, check: ArtworkCheck) -> None:
        """From the commit on it can be claimed; whoever watches `changes.ARTWORK_CHECKS` is notified."""
        ...

    async def claim(self, *, at: datetime, until: datetime) -> ArtworkCheck | None:
        """Claim the one that has waited longest, of those not claimed `at` this time. None if there is none."""
        ...

    async def advance(self, check: ArtworkCheck, *, until: datetime) -> None:
        """Store how many files have passed, and extend the claim; watchers of the style are notified."""
        ...

    async def release(self, check: ArtworkCheck) -> None:
        """Let others claim it at once. Nothing changes if somebody else has claimed it meanwhile."""
        ...

    async def end(self, check: ArtworkCheck) -> None: ...
