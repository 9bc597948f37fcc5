from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from core.ports.blob_store import BlobStore, StoreUnavailable
from core.ports.transaction import OutcomeUnknown


@asynccontextmanager
async def removed_on_failure(blobs: BlobStore, *keys: str) -> AsyncIterator[None]:
    """Around a transaction that objects were stored for: when it fails they are removed, and its error goes on.

    They stay where nobody knows whether it was committed (OutcomeUnknown), and where the store is out of reach: the
    walk for orphans finds those that no row refers to.
    """
    try:
        yield
    except OutcomeUnknown:
        raise
    except Exception:
        if keys:
            with suppress(StoreUnavailable):
                await blobs.delete(*keys)
        raise
