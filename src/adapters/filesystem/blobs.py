"""A blob store in a local directory, for a service that runs on one machine."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, ParamSpec, TypeVar
from urllib.parse import urlencode

import itsdangerous

from adapters import object_names
from core.ports.blob_store import (
    PUBLIC_PREFIX,
    Blob,
    BlobNotFound,
    BlobStore,
    ExpectedBlob,
    StoredBlob,
    StoreUnavailable,
    UploadUrl,
)
from core.ports.clock import Clock
from core.ports.media_files import Media, MediaFiles, SignedUpload, UploadRefused

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 1024 * 1024
"""Bytes in memory while an object is copied."""
KEPT = 10_000
"""Signatures that are kept: lists show the same images again and again."""
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "txt": "text/plain; charset=utf-8"}
"""By file extension of a key; anything else is served as a type that browsers do not execute."""


class FilesystemBlobStore(BlobStore, MediaFiles):
    """A key is a path below `root`/objects; no key may be the folder of another.

    Files are written elsewhere and renamed, so that they are complete or missing. A crash leaves at most a temporary
    file in `root`/incoming. URLs end in a signature by `secret`, valid in all processes that have it.
    """

    def __init__(
        self, root: Path, clock: Clock, *, base_url: str, secret: bytes, bucket: str = "stylelicense-media"
    ) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._clock = clock
        self._base_url = base_url
        self._signer = _signer(secret, "media")
        self._uploads = _signer(secret, "uploads")
        self._signature = lru_cache(KEPT)(self._sign)
        self._bucket = bucket

    async def put(self, *blobs: Blob) -> None:
        for blob in blobs:
            await _in_thread(self._write, self._path(blob.key), blob.content)

    async def get(self, key: str) -> bytes:
        return await _in_thread(_content, self._path(key))

    async def copy(self, source: str, target: str) -> None:
        await _in_thread(self._copy, self._path(source), self._path(target))

    async def delete(self, *keys: str) -> None:
        await _in_thread(_remove, [self._path(key) for key in keys])

    async def keys(self, prefix: str) -> list[str]:
        return await _in_thread(self._walk, prefix)

    async def stored(self, prefix: str, *, after: str = "", limit: int) -> list[StoredBlob]:
        return await _in_thread(self._stored, prefix, after, limit)

    async def signed_url(self, key: str, *, lifetime: timedelta = timedelta(minutes=15)) -> str:
        # The same URL for half a lifetime, so that browser caches and entity tags work.
        seconds = int(lifetime.total_seconds())
        step = max(seconds // 2, 1)
        expires = str(int(self._clock.now().timestamp()) // step * step + seconds)
        path = object_names.url_path(key)
        return f"{self._base_url}/media/{path}?expires={expires}&signature={self._signature(key, expires)}"

    async def upload_urls(self, *expected: ExpectedBlob) -> list[UploadUrl]:
        return [self._upload_url(blob) for blob in expected]

    async def allow_origins(self, *origins: str) -> None:
        """Nothing to do: the service, which serves the files, answers for its own origins."""

    def public_url(self, key: str) -> str:
        return f"{self._base_url}/media/{object_names.public_path(key)}"

    def uri(self, key: str) -> str:
        return object_names.uri_of(self._bucket, key)

    def key_of(self, uri: str) -> str:
        return object_names.key_of(self._bucket, uri)

    async def reachable(self) -> bool:
        try:
            return await _in_thread(self._writable)
        except StoreUnavailable:
            return False

    async def read(self, key: str, *, expires: str | None, signature: str | None) -> Media:
        if not key.startswith(PUBLIC_PREFIX) and not self._is_signed(key, expires or "", signature or ""):
            raise BlobNotFound
        try:
            content = await self.get(key)
        except ValueError:
            raise BlobNotFound from None
        return Media(content, CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream"))

    async def write(self, key: str, signed: SignedUpload, content: AsyncIterator[bytes], *, content_type: str) -> None:
        self._check_upload(key, signed, content_type)
        path, left = self._path(key), int(signed.size)
        if await _in_thread(path.exists):
            raise UploadRefused("used")
        file = await _in_thread(self._temporary)
        try:
            pending = bytearray()
            async for chunk in content:
                pending += chunk
                left -= len(chunk)
                if left < 0:
                    raise UploadRefused("size")
                if len(pending) >= CHUNK:
                    await _in_thread(file.write, bytes(pending))
                    pending.clear()
            if left:
                raise UploadRefused("size")
            await _in_thread(file.write, bytes(pending))
            await _in_thread(self._publish, file, path)
        finally:
            await _in_thread(_discard, file)

    def _upload_url(self, expected: ExpectedBlob) -> UploadUrl:
        expires_at = (self._clock.now() + expected.lifetime).replace(microsecond=0)
        expires, size = str(int(expires_at.timestamp())), str(expected.size)
        signed = {"expires": expires, "size": size, "type": expected.content_type}
        path = object_names.url_path(expected.key)
        signature = self._uploads.get_signature("\n".join([*signed.values(), expected.key])).decode()
        url = f"{self._base_url}/media/{path}?{urlencode({**signed, 'signature': signature})}"
        return UploadUrl(url, "PUT", {"Content-Type": expected.content_type}, expires_at)

    def _check_upload(self, key: str, signed: SignedUpload, content_type: str) -> None:
        """Raises UploadRefused."""
        try:
            text = "\n".join([signed.expires, signed.size, signed.content_type, key])
            genuine = self._uploads.verify_signature(text, signed.signature)
        except UnicodeEncodeError:  # characters that no key has
            genuine = False
        if not genuine:
            raise UploadRefused("signature")
        if self._clock.now().timestamp() >= int(signed.expires):
            raise UploadRefused("expired")
        if content_type != signed.content_type:
            raise UploadRefused("content_type")

    def _temporary(self) -> IO[bytes]:
        self._incoming.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self._incoming, delete=False)

    def _publish(self, file: IO[bytes], path: Path) -> None:
        """Make the file an object, unless one is there."""
        file.flush()
        now = self._clock.now().timestamp()
        os.utime(file.name, (now, now))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.name, path)
        except FileExistsError:
            raise UploadRefused("used") from None

    def _is_signed(self, key: str, expires: str, signature: str) -> bool:
        try:
            genuine = self._signer.verify_signature(f"{expires}\n{key}", signature)
        except UnicodeEncodeError:  # characters that no key has
            return False
        return genuine and self._clock.now().timestamp() < int(expires)

    def _sign(self, key: str, expires: str) -> str:
        return self._signer.get_signature(f"{expires}\n{key}").decode()

    def _path(self, key: str) -> Path:
        return self._objects / object_names.checked(key)

    def _write(self, path: Path, content: BinaryIO) -> None:
        content.seek(0)
        self._incoming.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file, CHUNK)
            now = self._clock.now().timestamp()
            os.utime(name, (now, now))
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise

    def _copy(self, source: Path, target: Path) -> None:
        with _expecting_a_file():
            content = source.open("rb")
        with content:
            self._write(target, content)

    def _walk(self, prefix: str) -> list[str]:
        folder = prefix.rpartition("/")[0]
        try:
            top = self._path(folder) if folder else self._objects
        except ValueError:
            return []
        found = (path.relative_to(self._objects).as_posix() for path in top.rglob("*") if path.is_file())
        return sorted(key for key in found if key.startswith(prefix))

    def _stored(self, prefix: str, after: str, limit: int) -> list[StoredBlob]:
        found: list[StoredBlob] = []
        for key in self._walk(prefix):
            if key > after and len(found) < limit:
                with suppress(FileNotFoundError):  # deleted meanwhile
                    written = self._path(key).stat().st_mtime
                    found.append(StoredBlob(key, datetime.fromtimestamp(written, UTC)))
        return found

    def _writable(self) -> bool:
        self._objects.mkdir(parents=True, exist_ok=True)
        return os.access(self._objects, os.W_OK | os.X_OK)


def _signer(secret: bytes, salt: str) -> itsdangerous.Signer:
    return itsdangerous.Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def _discard(file: IO[bytes]) -> None:
    file.close()
    os.unlink(file.name)


def _content(path: Path) -> bytes:
    with _expecting_a_file():
        return path.read_bytes()


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()


@contextmanager
def _expecting_a_file() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise BlobNotFound from None


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it off the event loop. If the caller is cancelled, wait for it to end, so that nothing is
    written afterwards.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.gather(work, return_exceptions=True)
        raise
    except OSError as error:
        raise StoreUnavailable from error
