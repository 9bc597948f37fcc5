import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from core.errors import ValidationError
from core.identifiers import UserId
from core.styles import errors
from core.styles.create_style import CreateStyle
from core.styles.version import MAX_IMAGE
from entrypoints.http import uploads, uploads_in_progress
from entrypoints.http.routes.styles import STYLE
from entrypoints.http.uploads_in_progress import PER_USER, TooManyUploads, UploadsInProgress
from tests.entrypoints.pictures import pictures
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

HEAD = b'--b\r\nContent-Disposition: form-data; name="images"; filename="%d.png"\r\n\r\n'
IMAGES = uploads.Parts(texts=frozenset({"name"}), files=frozenset({"images"}), several=True)


class Body:
    """A multipart request that a client sends in chunks."""

    content_type = ("multipart/form-data", {"boundary": "b"})

    def __init__(self, body: bytes, piece: int) -> None:
        self._pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    async def stream(self) -> AsyncIterator[bytes]:
        while self._pieces:
            yield self._pieces.pop(0)

    @property
    def unread(self) -> int:
        """Bytes."""
        return sum(map(len, self._pieces))


@pytest.mark.parametrize("piece", [1, 7, 64 * 1024, 10**9])
async def test_files_are_parsed_independently_of_chunks(piece: int) -> None:
    contents = [b"", b"a", b"\r\n--", os.urandom(3000)]
    body = b"".join(HEAD % number + content + b"\r\n" for number, content in enumerate(contents)) + b"--b--\r\n"
    async with uploads.spool() as spool:
        form = await uploads.receive(Body(body, piece), spool, IMAGES)  # type: ignore[arg-type]
        files = form.files["images"]
        assert [file.content.read() for file in files] == contents
        assert [file.size for file in files] == [len(content) for content in contents]
        assert [file.name for file in files] == ["0.png", "1.png", "2.png", "3.png"]


async def test_a_file_larger_than_the_memory_buffer_is_read() -> None:
    content = os.urandom(3 * uploads.CHUNK + 5)
    async with uploads.spool() as spool:
        form = await uploads.receive(Body(HEAD % 0 + content + b"\r\n--b--", 64 * 1024), spool, IMAGES)  # type: ignore[arg-type]
        (file,) = form.files["images"]
        assert file.content.read() == content


async def test_each_file_is_read_separately() -> None:
    body = HEAD % 0 + b"first\r\n" + HEAD % 1 + b"second\r\n--b--"
    async with uploads.spool() as spool:
        form = await uploads.receive(Body(body, 1000), spool, IMAGES)  # type: ignore[arg-type]
        first, second = (file.content for file in form.files["images"])
        assert first.read(2) == b"fi"
        assert second.read() == b"second"
        assert first.read() == b"rst"
        assert (second.seek(-3, os.SEEK_END), second.read()) == (3, b"ond")
        assert (first.seek(1), first.seek(1, os.SEEK_CUR), first.tell(), first.read(100)) == (1, 2, 2, b"rst")
        assert (first.seek(100), first.read()) == (100, b"")
        with pytest.raises(ValueError, match="before the start"):
            first.seek(-1)


TEXT = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="0.png"\r\n\r\n%s\r\n'
LARGE = FILE % (b"images", bytes(1_000_000))


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        pytest.param(TEXT % (b"colour", b"red") + TEXT % (b"size", b"1"), {"colour", "size"}, id="unknown texts"),
        pytest.param(FILE % (b"video", b"x"), {"video"}, id="unknown file"),
        pytest.param(FILE % (b"name", b"x"), {"name"}, id="file for a text"),
        pytest.param(TEXT % (b"name", b"x") + TEXT % (b"name", b"y"), {"name"}, id="repeated text"),
    ],
)
async def test_no_file_is_stored_after_an_unexpected_part(parts: bytes, wrong: set[str]) -> None:
    for behind in (LARGE + b"--b--", b"--b--"):
        body = Body(parts + behind, 1000)
        async with uploads.spool() as spool:
            with pytest.raises(ValidationError) as refusal:
                await uploads.receive(body, spool, IMAGES)  # type: ignore[arg-type]
            assert spool.tell() <= 1
        assert set(refusal.value.details or {}) == wrong
        assert body.unread >= len(behind) - 2000


async def test_a_repeated_file_is_not_stored() -> None:
    body = Body(FILE % (b"images", b"x") + LARGE + b"--b--", 1000)
    one = msgspec.structs.replace(IMAGES, several=False)
    async with uploads.spool() as spool:
        with pytest.raises(ValidationError):
            await uploads.receive(body, spool, one)  # type: ignore[arg-type]
        assert spool.tell() == 1
    assert body.unread > 900_000


@pytest.mark.parametrize(
    ("number", "size", "error"), [(1, MAX_IMAGE + 1, errors.ImageSizeExceeded), (101, 1, errors.TooManyImages)]
)
async def test_files_over_a_limit_are_not_stored(number: int, size: int, error: type[Exception]) -> None:
    body = Body(FILE % (b"images", bytes(size)) * number + LARGE * 5 + b"--b--", 64 * 1024)
    parts = msgspec.structs.replace(IMAGES, check_file=STYLE.check_file)
    async with uploads.spool() as spool:
        with pytest.raises(error):
            await uploads.receive(body, spool, parts)  # type: ignore[arg-type]
        assert spool.tell() <= MAX_IMAGE
    assert body.unread > 4_900_000


def test_concurrent_uploads_of_a_user_are_limited() -> None:
    in_progress = UploadsInProgress()
    with ExitStack() as stack:
        for _ in range(PER_USER):
            stack.enter_context(in_progress.place(UserId(1)))
        with pytest.raises(TooManyUploads), in_progress.place(UserId(1)):
            pass
        with in_progress.place(UserId(2)):
            pass
    with in_progress.place(UserId(1)):
        pass


async def test_one_upload_too_many_is_refused_before_its_body(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_in_progress, "PER_USER", 0)

    async def unread(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(uploads, "receive", unread)
    async with service.browser(await world.artist()) as browser:
        response = await browser.post("/api/styles", data={"name": "Ink"}, files=pictures(10))
    assert (response.status_code, response.json()["error"]["code"]) == (429, "TOO_MANY_UPLOADS")


async def test_the_style_limit_is_checked_before_the_body(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(world, styles_per_artist=1)
    mia = await world.artist()
    data = {"name": "Ink", "generation_cost_tokens": "1"}
    key = {"Idempotency-Key": "a"}
    async with service.browser(mia) as browser:
        created = await browser.post("/api/styles", data=data, files=pictures(10), headers=key)
        again = await browser.post("/api/styles", data=data, files=pictures(10), headers=key)
        assert (created.status_code, again.status_code, again.json()) == (201, 201, created.json())

        async def unread(*_: object) -> None:
            raise AssertionError

        monkeypatch.setattr(uploads, "receive", unread)
        response = await browser.post("/api/styles", data=data, files=pictures(10))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "STYLE_LIMIT_REACHED")


async def test_a_hundred_images_use_one_file_descriptor(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd" if Path("/proc").exists() else "/dev/fd").iterdir()))

    seen: list[int] = []
    original = CreateStyle.__call__

    async def counted(*args: object, **kwargs: object) -> object:
        seen.append(descriptors())
        return await original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(CreateStyle, "__call__", counted)
    async with service.browser(await world.artist()) as browser:
        before = descriptors()
        data = {"name": "Ink", "generation_cost_tokens": "1"}
        assert (await browser.post("/api/styles", data=data, files=pictures(100))).status_code == 201
        assert seen == [before + 1]
        assert descriptors() == before
