"""Google's client library, which blocks: to be imported on first use and called from threads."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from threading import Event
from time import monotonic
from typing import Any, BinaryIO

import google.auth
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth import iam
from google.auth.credentials import AnonymousCredentials, Signing
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2 import service_account

from core.ports.blob_store import BlobNotFound, ExpectedBlob, StoredBlob, StoreUnavailable, UploadUrl

logger = logging.getLogger(__name__)

CONNECT, READ, TRY_FOR = 3.0, 4.0, 5.0
"""Seconds: to connect, between two bytes of an answer, and until the last attempt starts; about 10 together."""
CHUNK = 2 * 1024 * 1024
"""Bytes of an upload in memory at a time."""
RESUMABLE = 8 * 1024 * 1024
"""Bytes of an object above which uploads by URL can be resumed."""
UPLOAD_HEADERS = (
    "Content-Range",
    "Content-Type",
    "Location",
    "Range",
    "x-goog-content-length-range",
    "x-goog-if-generation-match",
    "x-goog-resumable",
)
"""Headers of uploads and of their answers that pages may send and read."""
CACHE_CONTROL = "private, max-age=3600"
"""Prevents Google's own caches from serving an object below `public/` for an hour after it was deleted."""
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]

_timeouts: dict[str, Any] = {
    "timeout": (CONNECT, READ),
    "retry": DEFAULT_RETRY.with_delay(initial=0.2, maximum=1.0).with_timeout(TRY_FOR),
}


class Bucket:
    """One bucket. Failures raise StoreUnavailable within about ten seconds."""

    def __init__(self, name: str, *, emulator: str | None, public_endpoint: str, credentials: Any) -> None:
        self._public_endpoint = public_endpoint
        with _failures_translated():
            if emulator:
                self._credentials = credentials or _emulators_credentials()
                identity, options = AnonymousCredentials(), {"api_endpoint": emulator}
            else:
                self._credentials = credentials or google.auth.default(scopes=SCOPES)[0]
                identity, options = self._credentials, None
            self._client = storage.Client(project="unused", credentials=identity, client_options=options)
        self._bucket = self._client.bucket(name)

    def upload(self, key: str, content: BinaryIO, content_type: str, stop: Event) -> None:
        """Upload the content; an upload interrupted by `stop` stores nothing."""
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        blob = self._bucket.blob(key, chunk_size=CHUNK)
        blob.cache_control = CACHE_CONTROL
        with _failures_translated():
            blob.upload_from_file(
                _Stoppable(content, stop),
                # With a size, the client reads up to 8 MiB into memory and sends one request.
                size=size if size <= CHUNK else None,
                content_type=content_type,
                **_timeouts,
            )

    def download(self, key: str) -> bytes:
        with _failures_translated():
            try:
                content: bytes = self._bucket.blob(key).download_as_bytes(**_timeouts)
            except NotFound:
                raise BlobNotFound from None
            return content

    def copy(self, source: str, target: str) -> None:
        with _failures_translated():
            original, copy = self._bucket.blob(source), self._bucket.blob(target)
            try:
                original.reload(**_timeouts)
                # Objects written by the AI servers lack this header; setting one header requires setting all.
                copy.cache_control = CACHE_CONTROL
                copy.content_type = original.content_type
                token = None
                while (token := copy.rewrite(original, token=token, **_timeouts)[0]) is not None:
                    pass
            except NotFound:
                raise BlobNotFound from None

    def delete(self, key: str) -> None:
        with _failures_translated(), suppress(NotFound):
            self._bucket.blob(key).delete(**_timeouts)

    def keys(self, prefix: str) -> list[str]:
        with _failures_translated():
            found = self._client.list_blobs(
                self._bucket, prefix=prefix, fields="items(name),nextPageToken", **_timeouts
            )
            return sorted(blob.name for blob in found)

    def stored(self, prefix: str, after: str, limit: int) -> list[StoredBlob]:
        with _failures_translated():
            found = self._client.list_blobs(
                self._bucket,
                prefix=prefix,
                start_offset=after or None,  # inclusive
                max_results=limit + 1,
                fields="items(name,timeCreated),nextPageToken",
                **_timeouts,
            )
            later = (blob for blob in found if blob.name > after)
            return [StoredBlob(blob.name, blob.time_created) for blob in islice(later, limit)]

    def sign(self, key: str, lifetime: timedelta) -> str:
        return self._sign(key, "GET", lifetime)

    def sign_upload(self, expected: ExpectedBlob) -> UploadUrl:
        key, size, lifetime = expected.key, expected.size, expected.lifetime
        headers = {
            "Content-Type": expected.content_type,
            "x-goog-content-length-range": f"{size},{size}",
            "x-goog-if-generation-match": "0",  # no object is there yet
        }
        expires_at = datetime.now(UTC).replace(microsecond=0) + lifetime
        if size <= RESUMABLE:
            return UploadUrl(self._sign(key, "PUT", lifetime, headers), "PUT", headers, expires_at)
        url = self._sign(key, "RESUMABLE", lifetime, headers)
        return UploadUrl(url, "POST", {**headers, "x-goog-resumable": "start"}, expires_at)

    def _sign(self, key: str, method: str, lifetime: timedelta, headers: dict[str, str] | None = None) -> str:
        with _failures_translated():
            url: str = self._bucket.blob(key).generate_signed_url(
                version="v4",
                method=method,
                expiration=lifetime,
                headers=dict(headers or {}),  # the library adds to it
                credentials=self._signer(),
                api_access_endpoint=self._public_endpoint,
            )
            return url

    def allow_origins(self, origins: Sequence[str]) -> None:
        with _failures_translated():
            self._bucket.cors = [
                {
                    "origin": list(origins),
                    "method": ["GET", "HEAD", "POST", "PUT"],
                    "responseHeader": list(UPLOAD_HEADERS),
                    "maxAgeSeconds": 7200,
                }
            ]
            self._bucket.patch(**_timeouts)

    def probe(self) -> None:
        with _failures_translated():
            listed = self._client.list_blobs(
                self._bucket, max_results=1, fields="items(name)", timeout=(1.0, 1.0), retry=None
            )
            next(iter(listed), None)

    def close(self) -> None:
        self._client.close()

    def _signer(self) -> Any:
        """Credentials that can sign: by their own private key or, without one (Cloud Run), through IAM."""
        if isinstance(self._credentials, Signing):
            return self._credentials
        request = partial(Request(), timeout=CONNECT + READ)
        if not self._credentials.valid:  # the first refresh also sets the account's address
            self._credentials.refresh(request)
        email = self._credentials.service_account_email
        return service_account.Credentials(iam.Signer(request, self._credentials, email), email, token_uri="")


class _Stoppable:
    """A file whose reading another thread can stop."""

    def __init__(self, content: BinaryIO, stop: Event) -> None:
        self._content = content
        self._stop = stop
        self.tell: Callable[[], int] = content.tell
        self.seek: Callable[..., int] = content.seek

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise InterruptedError("the upload was aborted")
        return self._content.read(size)


def _emulators_credentials() -> Any:
    return service_account.Credentials(_AnySignature(), "emulator@localhost", token_uri="")


class _AnySignature:
    """The emulator parses signatures but does not verify them."""

    key_id = None

    def sign(self, message: bytes) -> bytes:
        return hashlib.sha256(message).digest()


@contextmanager
def _failures_translated() -> Iterator[None]:
    started = monotonic()
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, InvalidResponse, DataCorruption, OSError) as error:
        logger.warning("Cloud Storage failed seconds=%.1f error=%r", monotonic() - started, error)
        raise StoreUnavailable from error
