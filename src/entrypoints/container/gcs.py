"""The blob store: Cloud Storage."""

from collections.abc import AsyncIterator

from dishka import Provider, Scope

from adapters.gcs.blobs import GcsBlobStore
from core.ports.blob_store import BlobStore
from entrypoints.settings import Settings


def cloud_storage() -> Provider:
    async def blobs(settings: Settings) -> AsyncIterator[BlobStore]:
        opened = GcsBlobStore(settings.gcs_bucket_name or "", emulator=settings.storage_emulator_host)
        yield opened
        await opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(blobs)
    return provider
