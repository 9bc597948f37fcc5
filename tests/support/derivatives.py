from core.derivatives import ImageUrls, derivatives_of, image_urls, original_of
from core.ports.blob_store import BlobStore


def originals(keys: list[str]) -> list[str]:
    """The keys without those of smaller copies. Each original must have all of them, and each of them its original."""
    found = [key for key in keys if original_of(key) == key]
    assert sorted(keys) == sorted([*found, *derivatives_of(*found)])
    return found


async def signed_urls(key: str, blobs: BlobStore) -> ImageUrls:
    """The signed URLs of an object and of its smaller copies."""
    return image_urls(*[await blobs.signed_url(one) for one in (key, *derivatives_of(key))])
