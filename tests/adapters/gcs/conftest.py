from collections.abc import AsyncIterator

import pytest

from adapters.gcs.blobs import GcsBlobStore
from tests.support.gcs import Bucket


@pytest.fixture
async def store(bucket: Bucket) -> AsyncIterator[GcsBlobStore]:
    store = GcsBlobStore(bucket.name, emulator=bucket.emulator.url)
    yield store
    await store.close()
