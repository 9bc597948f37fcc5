from dataclasses import dataclass

from core.ports.blob_store import BlobStore


@dataclass(frozen=True, slots=True)
class AllowUploads:
    """Let pages of the frontend send files to the store. The pages of other origins no longer can."""

    blobs: BlobStore

    async def __call__(self, origins: list[str]) -> None:
        await self.blobs.allow_origins(*origins)
