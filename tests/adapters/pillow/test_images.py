import asyncio
import io
import struct
import zlib
from collections.abc import Callable
from typing import TypeVar

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from adapters.pillow import decoding
from adapters.pillow.images import PillowImages
from adapters.pillow.jpeg import JpegOutline
from adapters.pillow.outline import Outline
from adapters.pillow.small import MAX_BYTES, is_small
from adapters.pillow.worker_processes import Runner
from core.identifiers import UserId
from core.ports.images import NotAnImage

T = TypeVar("T")


def encoded(format: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert(mode).save(file, format, **options)
    return file.getvalue()


SEEDS = [
    encoded("JPEG"),
    encoded("JPEG", progressive=True),
    encoded("JPEG", "CMYK"),
    encoded(
        "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
    ),
    encoded("PNG"),
    encoded("PNG", "P"),
    encoded("PNG", "RGBA", compress_level=0),
    encoded("PNG", "1"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        position = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(["overwrite", "insert", "remove", "repeat"])):
            case "overwrite":
                content[position : position + length] = draw(st.binary(min_size=length, max_size=length))
            case "insert":
                content[position:position] = draw(st.binary(max_size=length))
            case "remove":
                del content[position : position + length]
            case _:
                content[position:position] = content[position : position + length]
    return with_right_checksums(bytes(content)) if draw(st.booleans()) else bytes(content)


def with_right_checksums(content: bytes) -> bytes:
    """The same PNG, so that the damage in it gets past the checksums and to the decoder."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    repaired, rest = content[:8], content[8:]
    while len(rest) >= 12:
        (length,) = struct.unpack(">I", rest[:4])
        kind_and_data = rest[4 : 8 + length]
        repaired += struct.pack(">I", len(kind_and_data) - 4) + kind_and_data
        repaired += struct.pack(">I", zlib.crc32(kind_and_data))
        rest = rest[12 + length :]
    return repaired


@given(damaged())
@example(b"\xff\xd8\xff" + bytes(100))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_are_refused_or_decoded(content: bytes) -> None:
    try:
        found = decoding.inspect(content)
    except NotAnImage:
        return
    assert found.size <= len(content)
    assert found.width * found.height > 0


def test_copying_a_large_jpeg_uses_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    load = JpegImageFile.load

    def recording(image: JpegImageFile) -> object:
        result = load(image)
        decoded.append(image.size)
        return result

    monkeypatch.setattr(JpegImageFile, "load", recording)
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000), "teal").save(file, "JPEG")
    copy = decoding.reencode(file.getvalue(), 512)
    assert (copy.width, copy.height) == (512, 384)
    assert max(decoded) == (1000, 750)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_valid_jpeg_is_decoded_once(monkeypatch: pytest.MonkeyPatch, mode: str, options: dict[str, object]) -> None:
    def twice(*_: object) -> int:
        raise AssertionError

    monkeypatch.setattr(decoding, "_decoded", twice)
    assert decoding.inspect(encoded("JPEG", mode, **options)).format == "jpeg"


def test_a_jpeg_with_padding_that_decoders_skip_is_accepted() -> None:
    content = encoded("JPEG")
    assert decoding.inspect(content[:-2] + bytes(7) + content[-2:]).size == len(content) + 7


def test_a_jpeg_with_padding_is_refused_if_it_takes_long_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded("JPEG", progressive=True)
    monkeypatch.setattr(decoding, "MAX_SCANNED", 48 * 32 * 20)
    assert decoding.inspect(content).size == len(content)
    with pytest.raises(NotAnImage, match="too long"):
        decoding.inspect(content[:-2] + bytes(7) + content[-2:])


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_an_ambiguous_file_is_refused(monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    def another_size(data: bytes) -> Outline:
        return Outline(47, 32, len(data), [])

    monkeypatch.setattr(decoding, "outline_of_png", another_size)
    monkeypatch.setattr(decoding, "outline_of_jpeg", lambda data: JpegOutline(another_size(data), [], 0))
    with pytest.raises(NotAnImage, match="two ways"):
        decoding.inspect(encoded(format))


def of_size(side: int, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "small"),
    [
        (of_size(512), True),
        (of_size(513), False),
        (of_size(512, "JPEG"), True),
        (of_size(513, "JPEG"), False),
        (of_size(64) + bytes(MAX_BYTES), False),
        (b"no image", True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"\xff\xd8\xff\xd9", True),
    ],
)
def test_small_images_are_recognised_without_decoding(content: bytes, small: bool) -> None:
    file = io.BytesIO(content)
    file.read()

    assert is_small(file) is small
    assert file.tell() == 0


class Held(Runner):
    """Decodes nothing before it is told to, but for small images."""

    def __init__(self) -> None:
        self.held = asyncio.Event()

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        [data] = arguments
        assert isinstance(data, bytes)
        if not is_small(io.BytesIO(data)):
            await self.held.wait()
        return function(*arguments)


async def test_a_small_image_does_not_wait_for_large_ones() -> None:
    runner = Held()
    images = PillowImages(workers=1, runner=runner)
    users = [UserId(number) for number in range(3)]
    large = [asyncio.create_task(images.inspect(io.BytesIO(of_size(600)), user=user)) for user in users]

    async with asyncio.timeout(10):
        assert (await images.inspect(io.BytesIO(of_size(64)), user=users[0])).width == 64
        runner.held.set()
        assert [image.width for image in await asyncio.gather(*large)] == [600] * 3


async def test_a_small_image_waits_for_no_busy_worker_and_no_start() -> None:
    images = PillowImages(workers=2)
    await images.start()
    [server] = psutil.Process().children()
    busy = [worker for worker in server.children() if worker.nice() > psutil.Process().nice()]
    assert len(busy) == 2
    stopped = [server, *busy]
    try:
        for process in stopped:
            process.suspend()
        users = [UserId(number) for number in range(6)]
        large = [asyncio.create_task(images.inspect(io.BytesIO(of_size(600)), user=user)) for user in users]
        async with asyncio.timeout(30):
            small = await images.inspect(io.BytesIO(of_size(64)), user=users[0])
            copy = await images.reencode(small.content, user=users[0])
            assert len(await images.shrink(copy.content, user=users[0], sides=(32, 16))) == 4
        assert not any(each.done() for each in large)
    finally:
        for process in stopped:
            process.resume()
    assert [image.width for image in await asyncio.gather(*large)] == [600] * 6
    await images.close()
