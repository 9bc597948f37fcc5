from datetime import datetime
from typing import Protocol

from core.artwork_uploads.model import ArtworkUpload
from core.identifiers import UploadId, UserId


class ArtworkUploads(Protocol):
    """Uploads that artists have announced, in the open transaction."""

    async def add(self, uploads: list[ArtworkUpload]) -> None:
        """Raises UserNotFound for a deleted account, which may surface at the commit."""
        ...

    async def unused(self, artist_id: UserId, *, since: datetime) -> list[ArtworkUpload]:
        """Those announced after `since`, earliest first."""
        ...

    async def expired(self, *, until: datetime, limit: int) -> list[ArtworkUpload]:
        """Up to `limit` unused ones announced at `until` or earlier, locked; rows locked by others are skipped."""
        ...

    async def remove(self, upload_ids: list[UploadId]) -> None:
        """Missing ones are no error."""
        ...
