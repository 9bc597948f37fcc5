"""Google Cloud Storage.

For the operator: the bucket has uniform access and no public access of its own. `public/` in it is a managed folder
which `allUsers` may read (roles/storage.objectViewer), and nothing else is. The service's account holds
roles/storage.objectUser on the bucket; where it runs without a key file (Cloud Run) it also holds
roles/iam.serviceAccountTokenCreator on itself, to sign URLs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from adapters import object_names
from core.ports.blob_store import Blob, BlobStore, ExpectedBlob, StoredBlob, StoreUnavailable, UploadUrl

if TYPE_CHECKING:
    from adapters.gcs.bucket import Bucket

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
WRITES = 6
"""Concurrent writes; the other threads keep reads from waiting behind a large upload."""
RESPONSE_TIMEOUT = 10.0
"""Seconds."""
MAX_CACHED = 10_000
"""Signed URLs."""


class GcsBlobStore(BlobStore):
    """Loads the client library and credentials on first use.

    `emulator` is the address of an emulator, used without credentials. `public_endpoint` is the store's address for
    browsers, if different. `credentials` are google.auth's; by default Google's default credentials are used.
    """

    def __init__(
        self, bucket: str, *, emulator: str | None = None, public_endpoint: str | None = None, credentials: Any = None
    ) -> None:
        self._name = bucket
        self._emulator = emulator
        self._public_endpoint = public_endpoint or emulator or object_names.GOOGLE_STORAGE
        self._credentials = credentials
        self._connected: Bucket | None = None
        self._connecting = Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gcs")
        self._writing = asyncio.Semaphore(WRITES)
        self._signed: dict[tuple[str, timedelta], tuple[str, float]] = {}

    async def put(self, *blobs: Blob) -> None:
        for blob in blobs:
            object_names.checked(blob.key)
        try:
            async with asyncio.TaskGroup() as uploads:
                for blob in blobs:
                    uploads.create_task(self._upload(blob))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def get(self, key: str) -> bytes:
        object_names.checked(key)
        return await self._in_thread(lambda: self._bucket().download(key))

    async def copy(self, source: str, target: str) -> None:
        object_names.checked(source)
        object_names.checked(target)
        async with self._writing:
            await self._run_to_end(lambda: self._bucket().copy(source, target))

    async def delete(self, *keys: str) -> None:
        for key in keys:
            object_names.checked(key)
        await asyncio.gather(*(self._in_thread(partial(self._delete, key)) for key in keys))

    async def keys(self, prefix: str) -> list[str]:
        return await self._in_thread(lambda: self._bucket().keys(prefix))

    async def stored(self, prefix: str, *, after: str = "", limit: int) -> list[StoredBlob]:
        return await self._in_thread(lambda: self._bucket().stored(prefix, after, limit))

    async def signed_url(self, key: str, *, lifetime: timedelta = timedelta(minutes=15)) -> str:
        object_names.checked(key)
        cached = self._signed.get((key, lifetime))
        if cached and monotonic() < cached[1]:
            return cached[0]
        stale_at = monotonic() + lifetime.total_seconds() / 2
        url = await self._in_thread(lambda: self._bucket().sign(key, lifetime))
        self._signed.pop((key, lifetime), None)
        if len(self._signed) >= MAX_CACHED:
            del self._signed[next(iter(self._signed))]
        self._signed[key, lifetime] = (url, stale_at)
        return url

    async def upload_urls(self, *expected: ExpectedBlob) -> list[UploadUrl]:
        for blob in expected:
            object_names.checked(blob.key)
        signing = (self._in_thread(partial(self._upload_url, blob)) for blob in expected)
        return list(await asyncio.gather(*signing))

    async def allow_origins(self, *origins: str) -> None:
        await self._in_thread(lambda: self._bucket().allow_origins(origins))

    def public_url(self, key: str) -> str:
        return f"{self._public_endpoint}/{self._name}/{object_names.public_path(key)}"

    def uri(self, key: str) -> str:
        return object_names.uri_of(self._name, key)

    def key_of(self, uri: str) -> str:
        return object_names.key_of(self._name, uri)

    async def reachable(self) -> bool:
        with suppress(StoreUnavailable):
            await self._in_thread(lambda: self._bucket().probe(), within=1.8)
            return True
        return False

    async def close(self) -> None:
        """Close the connections. Running calls end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._connected:
            await asyncio.to_thread(self._connected.close)

    async def _upload(self, blob: Blob) -> None:
        stop = Event()
        async with self._writing:
            await self._run_to_end(
                lambda: self._bucket().upload(blob.key, blob.content, blob.content_type, stop), give_up=stop.set
            )

    def _upload_url(self, expected: ExpectedBlob) -> UploadUrl:
        return self._bucket().sign_upload(expected)

    def _delete(self, key: str) -> None:
        self._bucket().delete(key)

    async def _in_thread(self, function: Callable[[], T], *, within: float | None = None) -> T:
        """Run it off the event loop and stop waiting after `within`: a thread cannot be cancelled."""
        try:
            async with asyncio.timeout(within or RESPONSE_TIMEOUT):
                return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        except TimeoutError as error:
            raise StoreUnavailable from error

    async def _run_to_end(self, function: Callable[[], None], *, give_up: Callable[[], None] = lambda: None) -> None:
        """Run a write off the event loop. If the caller is cancelled, wait for it to end, so that nothing is written
        afterwards.
        """
        work = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            give_up()
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _bucket(self) -> "Bucket":
        """To be called from a thread."""
        with self._connecting:
            if self._connected is None:
                from adapters.gcs.bucket import Bucket  # noqa: PLC0415 - loading takes a second

                self._connected = Bucket(
                    self._name,
                    emulator=self._emulator,
                    public_endpoint=self._public_endpoint,
                    credentials=self._credentials,
                )
            return self._connected
