import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.styles.create_style import CreateStyle
from entrypoints.http import uploads
from tests.entrypoints.pictures import pictures
from tests.entrypoints.service import Service
from tests.support.world import MemoryWorld

HEAD = b'--b\r\nContent-Disposition: form-data; name="images"; filename="%d.png"\r\n\r\n'


class Body:
    """A multipart request that a client sends in chunks."""

    content_type = ("multipart/form-data", {"boundary": "b"})

    def __init__(self, body: bytes, piece: int) -> None:
        self._pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@pytest.mark.parametrize("piece", [1, 7, 64 * 1024, 10**9])
async def test_files_do_not_depend_on_the_chunks(piece: int) -> None:
    contents = [b"", b"a", b"\r\n--", os.urandom(3000)]
    body = b"".join(HEAD % number + content + b"\r\n" for number, content in enumerate(contents)) + b"--b--\r\n"
    with uploads.spool() as spool:
        form = await uploads.receive(Body(body, piece), spool)  # type: ignore[arg-type]
        files = form.files["images"]
        assert [file.content.read() for file in files] == contents
        assert [file.size for file in files] == [len(content) for content in contents]
        assert [file.name for file in files] == ["0.png", "1.png", "2.png", "3.png"]


async def test_a_file_larger_than_the_memory_buffer() -> None:
    content = os.urandom(3 * uploads.CHUNK + 5)
    with uploads.spool() as spool:
        form = await uploads.receive(Body(HEAD % 0 + content + b"\r\n--b--", 64 * 1024), spool)  # type: ignore[arg-type]
        (file,) = form.files["images"]
        assert file.content.read() == content


async def test_each_file_is_read_as_one_of_its_own() -> None:
    body = HEAD % 0 + b"first\r\n" + HEAD % 1 + b"second\r\n--b--"
    with uploads.spool() as spool:
        form = await uploads.receive(Body(body, 1000), spool)  # type: ignore[arg-type]
        first, second = (file.content for file in form.files["images"])
        assert first.read(2) == b"fi"
        assert second.read() == b"second"
        assert first.read() == b"rst"
        assert (second.seek(-3, os.SEEK_END), second.read()) == (3, b"ond")
        assert (first.seek(1), first.seek(1, os.SEEK_CUR), first.tell(), first.read(100)) == (1, 2, 2, b"rst")
        assert (first.seek(100), first.read()) == (100, b"")
        with pytest.raises(ValueError, match="before the start"):
            first.seek(-1)


async def test_a_hundred_pictures_cost_one_descriptor_and_none_afterwards(
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
