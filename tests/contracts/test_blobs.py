"""BlobStore: memory, a folder, and Google Cloud Storage's emulator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from adapters.filesystem.blobs import FilesystemBlobStore
from adapters.gcs.blobs import GcsBlobStore
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.clock import ManualClock
from adapters.pillow.first_bytes import first_bytes
from core.derivatives import derivatives_of, image_urls, public_urls
from core.ports.blob_store import Blob, BlobNotFound, BlobStore, ForeignBlob
from tests.support.gcs import Bucket

NO_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "a//b",
    "a/",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a/..",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a\x7fb",
    "a?b",
    "a#b",
    "a" * 201,
    "/".join(["a" * 100] * 11),
    "\ud800",
]


@dataclass(frozen=True, slots=True)
class Case:
    store: BlobStore
    bucket: str
    load: Callable[[str], Awaitable[bytes | None]]
    """What a browser gets from a URL; None for 404."""
    now: Callable[[], datetime]


@pytest.fixture(params=["memory", "filesystem", "gcs"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    clock = ManualClock()
    match request.param:
        case "memory":
            yield in_memory(clock)
        case "filesystem":
            yield in_a_folder(tmp_path, clock)
        case _:
            bucket: Bucket = request.getfixturevalue("bucket")
            store = GcsBlobStore(bucket.name, emulator=bucket.emulator.url)
            yield Case(store, bucket.name, over_http, lambda: datetime.now(UTC))
            await store.close()


def in_memory(clock: ManualClock) -> Case:
    store = MemoryBlobStore(clock)

    async def load(url: str) -> bytes | None:
        try:
            return await store.get(unquote(urlsplit(url).path).removeprefix("/"))
        except BlobNotFound:
            return None

    return Case(store, "stylelicense-media", load, clock.now)


def in_a_folder(root: Path, clock: ManualClock) -> Case:
    store = FilesystemBlobStore(root, clock, base_url="http://localhost:8000", secret=b"secret")

    async def load(url: str) -> bytes | None:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key = unquote(parts.path).removeprefix("/media/")
        try:
            return (await store.read(key, expires=query.get("expires"), signature=query.get("signature"))).content
        except BlobNotFound:
            return None

    return Case(store, "stylelicense-media", load, clock.now)


async def over_http(url: str) -> bytes | None:
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
    if answer.status_code == 404:
        return None
    return answer.raise_for_status().content


def blob(key: str, content: bytes = b"content") -> Blob:
    return Blob(key, BytesIO(content), "image/png")


async def test_a_stored_object_can_be_read(case: Case) -> None:
    await case.store.put(blob("training/10/image_0.png", b"one"), blob("training/10/image_1.png", b"two"))
    assert await case.store.get("training/10/image_0.png") == b"one"
    assert await case.store.get("training/10/image_1.png") == b"two"


async def test_storing_no_objects_is_allowed(case: Case) -> None:
    await case.store.put()


async def test_a_second_put_replaces_the_first(case: Case) -> None:
    await case.store.put(blob("a.png", b"first, and longer"))
    await case.store.put(blob("a.png", b"second"))
    assert await case.store.get("a.png") == b"second"


async def test_content_is_stored_from_its_start(case: Case) -> None:
    content = BytesIO(b"whole")
    content.read(3)
    await case.store.put(Blob("a.png", content, "image/png"))
    assert await case.store.get("a.png") == b"whole"


@pytest.mark.parametrize("size", [0, 1, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 4 * 1024 * 1024, 9_500_000])
async def test_objects_of_any_size_are_stored(case: Case, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    await case.store.put(blob("a.png", content))
    assert await case.store.get("a.png") == content


async def test_a_prefix_of_a_file_can_be_stored(case: Case) -> None:
    content = BytesIO(b"a picture" + b"and more" * 500_000)
    content.seek(50)
    for size in (0, 1, 9, 3_000_000):
        await case.store.put(Blob("a.png", first_bytes(content, size), "image/png"))
        assert await case.store.get("a.png") == content.getvalue()[:size]


async def test_a_spooled_upload_is_stored(case: Case) -> None:
    with SpooledTemporaryFile(max_size=10) as upload:
        upload.write(b"larger than what stays in memory")
        await case.store.put(Blob("a.png", cast(BytesIO, upload), "image/png"))
    assert await case.store.get("a.png") == b"larger than what stays in memory"


async def test_a_hundred_objects_are_stored_concurrently(case: Case) -> None:
    await case.store.put(*(blob(f"training/10/image_{index}.png", str(index).encode()) for index in range(100)))
    assert len(await case.store.keys("training/10/")) == 100
    assert await case.store.get("training/10/image_77.png") == b"77"


async def test_a_missing_object_cannot_be_read_or_copied(case: Case) -> None:
    await case.store.put(blob("folder/a.png"))
    for key in ("b.png", "folder", "folder/a", "folder/b/c.png"):
        with pytest.raises(BlobNotFound):
            await case.store.get(key)
        with pytest.raises(BlobNotFound):
            await case.store.copy(key, "copy.png")
    assert await case.store.keys("") == ["folder/a.png"]


async def test_a_copy_is_an_independent_object(case: Case) -> None:
    await case.store.put(blob("results/1.png", b"image"), blob("public/1.png", b"an older one"))
    await case.store.copy("results/1.png", "public/1.png")
    await case.store.put(blob("results/1.png", b"another"))
    assert await case.store.get("public/1.png") == b"image"
    await case.store.delete("public/1.png")
    assert await case.store.get("results/1.png") == b"another"


async def test_deleting_ignores_missing_objects(case: Case) -> None:
    await case.store.put(*(blob(f"folder/{index}.png") for index in range(12)))
    await case.store.delete("folder/0.png", "not/there.png", *(f"folder/{index}.png" for index in range(2, 12)))
    await case.store.delete("folder/0.png")
    await case.store.delete()
    assert await case.store.keys("") == ["folder/1.png"]


async def test_keys_are_listed_by_prefix_in_order(case: Case) -> None:
    await case.store.put(*(blob(key) for key in ("training/1/b.png", "training/10/a.png", "training/1/a.png", "x.png")))
    assert await case.store.keys("training/1/") == ["training/1/a.png", "training/1/b.png"]
    assert await case.store.keys("training/1") == ["training/1/a.png", "training/1/b.png", "training/10/a.png"]
    assert await case.store.keys("training/1/a") == ["training/1/a.png"]
    assert await case.store.keys("") == ["training/1/a.png", "training/1/b.png", "training/10/a.png", "x.png"]
    for nothing in ("nothing/", "/", "../", "training/../training/"):
        assert await case.store.keys(nothing) == []


async def test_keys_are_listed_in_pages(case: Case) -> None:
    keys = ["a/1.png", "a/10.png", "a/2.png", "a/b/1.png", "a/그림.png", "b/1.png"]
    await case.store.put(*(blob(key) for key in reversed(keys)))

    async def page(prefix: str, *, after: str = "", limit: int = 100) -> list[str]:
        return [found.key for found in await case.store.stored(prefix, after=after, limit=limit)]

    assert await page("") == keys
    assert await page("a/") == keys[:5]
    assert await page("a/", limit=2) == keys[:2]
    assert await page("a/", after=keys[1], limit=2) == keys[2:4]
    assert await page("a/", after="a/10.pn") == keys[1:5]
    assert await page("a/", after=keys[4]) == []
    assert await page("b/", after=keys[0]) == ["b/1.png"]
    assert await page("nothing/") == []


async def test_an_object_has_a_modification_time(case: Case) -> None:
    moment = timedelta(seconds=2)
    before = case.now()
    await case.store.put(blob("a.png"), blob("c.png"))
    await case.store.copy("a.png", "b.png")

    for found in await case.store.stored("", limit=3):
        assert before - moment <= found.stored_at <= case.now() + moment


async def test_an_object_is_copied_onto_itself(case: Case) -> None:
    await case.store.put(blob("a.png", b"content"))
    await case.store.copy("a.png", "a.png")
    assert await case.store.get("a.png") == b"content"


async def test_replacing_an_object_renews_its_modification_time(tmp_path: Path) -> None:
    clock = ManualClock()
    for store in (in_memory(clock).store, in_a_folder(tmp_path, clock).store):
        await store.put(blob("a.png"), blob("b.png"), blob("c.png"), blob("d.png", b"kept"))
        stored = clock.now()
        later = clock.advance(timedelta(days=1))
        await store.put(blob("b.png"))
        await store.copy("a.png", "c.png")
        await store.copy("d.png", "d.png")

        assert [found.stored_at for found in await store.stored("", limit=4)] == [stored, later, later, later]
        assert await store.get("d.png") == b"kept"


@pytest.mark.parametrize("key", ["a b.png", "그림/하나.png", "100%/a+b&c=d.png", "a~b'(c).png", "..a/b..png"])
async def test_a_key_can_be_any_text(case: Case, key: str) -> None:
    await case.store.put(blob(key, b"odd"), blob(f"public/{key}", b"odd and public"))
    assert await case.store.keys("") == sorted([key, f"public/{key}"])
    assert await case.store.get(key) == b"odd"
    assert await case.load(await case.store.signed_url(key)) == b"odd"
    assert await case.load(case.store.public_url(f"public/{key}")) == b"odd and public"
    assert case.store.key_of(case.store.uri(key)) == key


@pytest.mark.parametrize("key", NO_KEYS)
async def test_ambiguous_keys_are_refused(case: Case, key: str) -> None:
    with pytest.raises(ValueError, match="Not a"):
        await case.store.put(blob("fine.png"), blob(key))
    with pytest.raises(ValueError, match="Not a"):
        case.store.public_url(f"public/{key}")
    with pytest.raises(ValueError, match="Not a"):
        await case.store.get(key)
    with pytest.raises(ValueError, match="Not a"):
        await case.store.copy(key, "a.png")
    with pytest.raises(ValueError, match="Not a"):
        await case.store.delete(key)
    with pytest.raises(ValueError, match="Not a"):
        await case.store.signed_url(key)
    with pytest.raises(ValueError, match="Not a"):
        case.store.uri(key)
    with pytest.raises(ForeignBlob):
        case.store.key_of(f"gs://{case.bucket}/{key}")
    await case.store.put(blob("a.png"))
    with pytest.raises(ValueError, match="Not a"):
        await case.store.copy("a.png", key)


async def test_a_signed_url_leads_to_the_object(case: Case) -> None:
    await case.store.put(blob("results/1.png", b"image"))
    assert await case.load(await case.store.signed_url("results/1.png")) == b"image"


async def test_a_signed_url_of_a_missing_object_is_not_found(case: Case) -> None:
    assert await case.load(await case.store.signed_url("results/1.png")) is None


@pytest.mark.parametrize("lifetime", [timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=7)])
async def test_a_signed_url_is_valid_for_at_least_half_its_lifetime(case: Case, lifetime: timedelta) -> None:
    before = case.now()
    urls = [await case.store.signed_url("a.png", lifetime=lifetime) for _ in range(3)]
    after = case.now()
    for url in urls:
        assert before + lifetime / 2 - timedelta(seconds=1) <= expiry(url) <= after + lifetime


async def test_signed_urls_are_cached_per_lifetime(case: Case) -> None:
    long = await case.store.signed_url("a.png", lifetime=timedelta(hours=1))
    short = await case.store.signed_url("a.png", lifetime=timedelta(minutes=1))
    assert expiry(long) - expiry(short) > timedelta(minutes=28)


def expiry(url: str) -> datetime:
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    if "expires" in query:
        return datetime.fromtimestamp(int(query["expires"]), UTC)
    signed_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed_at + timedelta(seconds=int(query["X-Goog-Expires"]))


async def test_a_public_url_lasts_as_long_as_the_object(case: Case) -> None:
    await case.store.put(blob("public/a.png", b"for all"))
    url = case.store.public_url("public/a.png")
    assert urlsplit(url).query == ""
    assert await case.load(url) == b"for all"
    await case.store.delete("public/a.png")
    assert await case.load(url) is None


@pytest.mark.parametrize("name", ["cat.png", "a cat & 100%.png", "고양이.png"])
def test_public_urls_of_smaller_copies_are_those_of_their_keys(case: Case, name: str) -> None:
    key = f"public/{name}"

    urls = public_urls(key, case.store)

    assert urls == image_urls(*[case.store.public_url(one) for one in (key, *derivatives_of(key))])


@pytest.mark.parametrize("key", ["results/1.png", "public", "publicity/a.png", "/public/a.png", "public/../a.png"])
def test_a_private_key_has_no_public_url(case: Case, key: str) -> None:
    with pytest.raises(ValueError, match="Not a"):
        case.store.public_url(key)


def test_uris_name_the_bucket(case: Case) -> None:
    assert case.store.uri("training/1/a.png") == f"gs://{case.bucket}/training/1/a.png"


def test_both_forms_of_a_uri_are_understood(case: Case) -> None:
    assert case.store.key_of(f"gs://{case.bucket}/results/a b%20.png") == "results/a b%20.png"
    https = f"https://storage.googleapis.com/{case.bucket}"
    assert case.store.key_of(f"{https}/results/1.png") == "results/1.png"
    assert case.store.key_of(f"{https}/results/a%20b/%EA%B7%B8.png") == "results/a b/그.png"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "results/1.png",
        "gs://",
        "gs://{bucket}",
        "gs://{bucket}/",
        "gs://another/results/1.png",
        "gs://{bucket}-not/1.png",
        "gs:/{bucket}/1.png",
        "s3://{bucket}/1.png",
        "http://storage.googleapis.com/{bucket}/1.png",
        "https://storage.googleapis.com/{bucket}",
        "https://storage.googleapis.com/another/1.png",
        "https://storage.googleapis.com.evil.example/{bucket}/1.png",
        "https://evil.example/{bucket}/1.png",
        "https://storage.googleapis.com:443/{bucket}/1.png",
        "https://storage.googleapis.com@evil.example/{bucket}/1.png",
        "https://storage.googleapis.com/{bucket}/1.png?generation=2",
        "https://storage.googleapis.com/{bucket}/1.png#top",
        "https://storage.googleapis.com/{bucket}/../another/1.png",
        "https://storage.googleapis.com/{bucket}/%2e%2e/another/1.png",
        "https://storage.googleapis.com/{bucket}/a%2f..%2fb.png",
        "https://storage.googleapis.com/{bucket}/a%00.png",
        "https://storage.googleapis.com/{bucket}/a%3Fb.png",
        "https://storage.googleapis.com/{bucket}/%ff.png",
        "gs://{bucket}/1.png?x",
        "gs://{bucket}/a//b.png",
        " gs://{bucket}/1.png",
    ],
)
def test_a_url_outside_the_bucket_is_foreign(case: Case, uri: str) -> None:
    with pytest.raises(ForeignBlob):
        case.store.key_of(uri.format(bucket=case.bucket))


async def test_the_store_is_reachable(case: Case) -> None:
    assert await case.store.reachable() is True


async def test_concurrent_callers_get_their_own_objects(case: Case) -> None:
    await case.store.put(*(blob(f"{index}.png", str(index).encode()) for index in range(40)))
    contents = await asyncio.gather(*(case.store.get(f"{index}.png") for index in range(40)))
    assert contents == [str(index).encode() for index in range(40)]
    urls = await asyncio.gather(*(case.store.signed_url(f"{index}.png") for index in range(40)))
    assert len(set(urls)) == 40
