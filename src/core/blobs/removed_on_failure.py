from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from core.ports.blob_store import Blob, BlobStore, StoreUnavailable
from core.ports.transaction import OutcomeUnknown, Transaction


async def put_all(blobs: BlobStore, *objects: Blob) -> None:
    """Store objects under new keys, or none of them: what ends it, cancellation included, removes what was stored."""
    try:
        await blobs.put(*objects)
    except BaseException:
        await _remove(blobs, *(blob.key for blob in objects))
        raise


@asynccontextmanager
async def removed_on_failure(blobs: BlobStore, transaction: Transaction, *keys: str) -> AsyncIterator[None]:
    """The transaction that objects were stored for: unless it commits they are removed, and its error goes on.

    They stay where the outcome of the commit is not known: OutcomeUnknown, or cancelled during the commit. They stay
    also where the store is out of reach. The walk for orphans removes those that no row refers to.
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
