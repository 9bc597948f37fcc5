from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from core.ports.blob_store import Blob, BlobStore, StoreUnavailable
from core.ports.transaction import OutcomeUnknown, Transaction


async def put_all(blobs: BlobStore, *objects: Blob) -> None:
    """Store all objects under new keys, or none: on any error or cancellation those already stored are deleted."""
    try:
        await blobs.put(*objects)
    except BaseException:
        await _remove(blobs, *(blob.key for blob in objects))
        raise


@asynccontextmanager
async def removed_on_failure(blobs: BlobStore, transaction: Transaction, *keys: str) -> AsyncIterator[None]:
    """Run a transaction that refers to stored objects; delete the objects unless it commits, and re-raise its error.

    They are kept if the outcome of the commit is unknown (OutcomeUnknown, or cancellation during the commit) or the
    store is unavailable. Unreferenced ones are then purged as orphans.
    """
    committing = False
    try:
        async with transaction:
            yield
            committing = True
    except OutcomeUnknown:
        raise
    except BaseException as error:
        if isinstance(error, Exception) or not committing:
            await _remove(blobs, *keys)
        raise


async def _remove(blobs: BlobStore, *keys: str) -> None:
    if keys:
        with suppress(StoreUnavailable):
            await blobs.delete(*keys)
