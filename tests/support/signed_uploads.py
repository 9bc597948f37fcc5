"""Checks signed requests as Google Cloud Storage documents it, and sends those that it would take to the emulator.

The emulator itself looks at neither signatures, nor conditions, nor the start of a resumable upload by URL.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

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
            sent = {"Content-Type": headers["Content-Type"]}
            (await client.put(target, content=content, headers=sent)).raise_for_status()
    return taken
