import asyncio

from core.derivatives import ImageUrls, derivatives_of, image_urls
from core.ports.blob_store import BlobStore


async def signed_urls(key: str, blobs: BlobStore) -> ImageUrls:
    """Of a sample, in all sizes; signed concurrently, because a store may ask another service for each signature."""
    return image_urls(await asyncio.gather(*(blobs.signed_url(one) for one in (key, *derivatives_of(key)))))
