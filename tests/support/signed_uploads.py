"""Checks signed requests as Google Cloud Storage documents it, and sends those that it would take to the emulator.

The emulator itself looks at neither signatures nor conditions. It begins resumable uploads by its JSON API only: this
is called in place of the signed `POST`. The parts are sent as Google documents it.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx

PART = 4 * 1024 * 1024
"""Bytes; a multiple of 256 KiB, as Google requires."""
Verify = Callable[[bytes, bytes], None]
"""Is given a signature and what it signs; raises an exception if they do not match."""


def emulators_signature(signature: bytes, signed: bytes) -> None:
    """How the store signs where it uses an emulator."""
    assert signature == hashlib.sha256(signed).digest()


def check_signature(method: str, url: str, headers: Mapping[str, str], verify: Verify) -> dict[str, str]:
    """The query of a request that Google would take: V4 signing. Raises what `verify` raises."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    canonical_query = "&".join(f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query))
    sent = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"host": parts.netloc}
    names = query["X-Goog-SignedHeaders"].split(";")
    canonical_headers = "".join(f"{name}:{sent.get(name, '')}\n" for name in names)
    request = "\n".join(
        [method, parts.path, canonical_query, canonical_headers, query["X-Goog-SignedHeaders"], "UNSIGNED-PAYLOAD"]
    )
    scope = query["X-Goog-Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    verify(signature, f"GOOG4-RSA-SHA256\n{query['X-Goog-Date']}\n{scope}\n{digest}".encode())
    return query


async def upload(
    method: str, url: str, headers: Mapping[str, str], content: bytes, *, now: datetime | None = None
) -> bool:
    """Upload to a URL of the emulator's bucket, as Google would take it; whether it is stored."""
    try:
        query = check_signature(method, url, headers, emulators_signature)
    except AssertionError:
        return False
    ends_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ends_at += timedelta(seconds=int(query["X-Goog-Expires"]))
    least, most = map(int, headers["x-goog-content-length-range"].split(","))
    target = url.partition("?")[0]
    async with httpx.AsyncClient(trust_env=False) as client:
        exists = (await client.get(target)).status_code == 200
        taken = (
            (now or datetime.now(UTC)) < ends_at
            and least <= len(content) <= most
            and not (exists and headers["x-goog-if-generation-match"] == "0")
            and (method, headers.get("x-goog-resumable")) in {("PUT", None), ("POST", "start")}
        )
        if taken:
            content_type = headers["Content-Type"]
            if method == "POST":
                await _send_in_parts(client, await _begin(client, target, content_type), content)
            else:
                sent = await client.put(target, content=content, headers={"Content-Type": content_type})
                sent.raise_for_status()
    return taken


async def _begin(client: httpx.AsyncClient, target: str, content_type: str) -> str:
    """Where to send the content of a resumable upload."""
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
    begun = await client.post(
        f"{parts.scheme}://{parts.netloc}/upload/storage/v1/b/{bucket}/o",
        params={"uploadType": "resumable", "name": key},
        headers={"X-Upload-Content-Type": content_type},
    )
    return begun.raise_for_status().headers["Location"]


async def _send_in_parts(client: httpx.AsyncClient, location: str, content: bytes) -> None:
    """Each part goes on where the answer to a question after an interruption would say."""
    size = len(content)
    for start in range(0, size, PART):
        part = content[start : start + PART]
        span = f"bytes {start}-{start + len(part) - 1}/{size}"
        sent = await client.put(location, content=part, headers={"Content-Range": span})
        if start + PART >= size:
            assert sent.status_code == 200
            return
        asked = await client.put(location, headers={"Content-Range": f"bytes */{size}"})
        for answer in (sent, asked):
            assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{start + PART - 1}")
