from datetime import datetime, timedelta

from adapters import object_names
from core.ports.blob_store import Blob, BlobNotFound, BlobStore, ExpectedBlob, StoredBlob, UploadUrl
from core.ports.clock import Clock


class MemoryBlobStore(BlobStore):
    """Its URLs describe their target, but no server answers them."""

    def __init__(
        self, clock: Clock, *, bucket: str = "stylelicense-media", base_url: str = "https://memory.invalid"
    ) -> None:
        self._clock = clock
        self._bucket = bucket
        self._base_url = base_url
        self._objects: dict[str, tuple[bytes, str, datetime]] = {}
        self.origins: tuple[str, ...] = ()
        self._uploads: dict[str, tuple[ExpectedBlob, datetime]] = {}
        """By URL: what is expected, and until when."""

    async def put(self, *blobs: Blob) -> None:
        for blob in blobs:
            key = object_names.checked(blob.key)
            blob.content.seek(0)
            self._objects[key] = (blob.content.read(), blob.content_type, self._clock.now())

    async def get(self, key: str) -> bytes:
        return self._object(key)[0]

    async def copy(self, source: str, target: str) -> None:
        content, content_type, _ = self._object(source)
        self._objects[object_names.checked(target)] = (content, content_type, self._clock.now())

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self._objects.pop(object_names.checked(key), None)

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._objects if key.startswith(prefix))

    async def stored(self, prefix: str, *, after: str = "", limit: int) -> list[StoredBlob]:
        keys = [key for key in await self.keys(prefix) if key > after]
        return [StoredBlob(key, self._objects[key][2]) for key in keys[:limit]]

    async def signed_url(self, key: str, *, lifetime: timedelta = timedelta(minutes=15)) -> str:
        expires = int((self._clock.now() + lifetime).timestamp())
        return f"{self._base_url}/{object_names.url_path(key)}?expires={expires}"

    async def upload_urls(self, *expected: ExpectedBlob) -> list[UploadUrl]:
        return [self._upload_url(blob) for blob in expected]

    def _upload_url(self, expected: ExpectedBlob) -> UploadUrl:
        expires_at = (self._clock.now() + expected.lifetime).replace(microsecond=0)
        url = f"{self._base_url}/{object_names.url_path(expected.key)}?upload={len(self._uploads)}"
        self._uploads[url] = (expected, expires_at)
        return UploadUrl(url, "PUT", {"Content-Type": expected.content_type}, expires_at)

    def receive(self, url: str, headers: dict[str, str], content: bytes) -> bool:
        """What a server would do with an upload to a URL; whether it is stored."""
        if url not in self._uploads:
            return False
        expected, expires_at = self._uploads[url]
        matches = (
            self._clock.now() < expires_at
            and headers.get("Content-Type") == expected.content_type
            and len(content) == expected.size
            and expected.key not in self._objects
        )
        if matches:
            self._objects[expected.key] = (content, expected.content_type, self._clock.now())
        return matches

    async def allow_origins(self, *origins: str) -> None:
        self.origins = origins

    def public_url(self, key: str) -> str:
        return f"{self._base_url}/{object_names.public_path(key)}"

    def uri(self, key: str) -> str:
        return object_names.uri_of(self._bucket, key)

    def key_of(self, uri: str) -> str:
        return object_names.key_of(self._bucket, uri)

    async def reachable(self) -> bool:
        return True

    def content_type(self, key: str) -> str:
        return self._object(key)[1]

    def _object(self, key: str) -> tuple[bytes, str, datetime]:
        try:
            return self._objects[object_names.checked(key)]
        except KeyError:
            raise BlobNotFound from None
