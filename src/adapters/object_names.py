"""Object keys and URIs, the same for every store."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from core.ports.blob_store import PUBLIC_PREFIX, ForeignBlob

GOOGLE_STORAGE = "https://storage.googleapis.com"
MAX_KEY = 1024
"""Bytes in UTF-8; the limit of Google Cloud Storage."""
MAX_PART = 200
"""Bytes in UTF-8; file systems allow 255."""
KEPT = 10_000
"""Paths that are kept: lists show the same images again and again."""
# Control characters break logs and headers, a backslash is a separator on some systems, ? and # end a URL's path,
# surrogates have no UTF-8.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\?#\ud800-\udfff]")
_PLAIN = re.compile(r"(?:[\w~-][\w.~-]{0,99}/)*[\w~-][\w.~-]{0,99}", re.ASCII)
"""Valid keys that look the same in a URL: nearly all of ours, and quick to recognize."""


def checked(key: str) -> str:
    """Returns the key. Raises ValueError if it is invalid."""
    if _FORBIDDEN.search(key) or len(key.encode()) > MAX_KEY:
        raise ValueError(f"Not a key: {key!r}")
    for part in key.split("/"):
        if part in {"", ".", ".."} or len(part.encode()) > MAX_PART:
            raise ValueError(f"Not a key: {key!r}")
    return key


def public_path(key: str) -> str:
    """The key as part of a permanent URL. Raises ValueError for a key that is not below PUBLIC_PREFIX."""
    if not key.startswith(PUBLIC_PREFIX):
        raise ValueError(f"Not a public key: {key!r}")
    return url_path(key)


@lru_cache(KEPT)
def url_path(key: str) -> str:
    if len(key) <= MAX_KEY and _PLAIN.fullmatch(key):
        return key
    return quote(checked(key), safe="/~")


def uri_of(bucket: str, key: str) -> str:
    return f"gs://{bucket}/{checked(key)}"


def key_of(bucket: str, uri: str) -> str:
    """See BlobStore.key_of."""
    try:
        if uri.startswith(gs := f"gs://{bucket}/"):
            return checked(uri.removeprefix(gs))
        if uri.startswith(https := f"{GOOGLE_STORAGE}/{bucket}/"):
            return checked(_decoded(uri.removeprefix(https)))
    except ValueError:
        raise ForeignBlob from None
    raise ForeignBlob


def _decoded(path: str) -> str:
    if _FORBIDDEN.search(path):
        raise ValueError(f"Not the path of an object: {path!r}")
    return unquote(path, errors="strict")
