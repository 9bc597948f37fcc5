import asyncio
import io
import struct
import threading
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from adapters.pillow import images as module
from adapters.pillow.images import PillowImages
from adapters.pillow.outline import Outline
from core.ports.images import NotAnImage


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


IMAGES = PillowImages()


@given(damaged())
@example(b"\xff\xd8\xff" + bytes(100))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damage_of_any_kind_is_not_an_image_or_does_not_matter(content: bytes) -> None:
    file = io.BytesIO(content)
    try:
        image = asyncio.run(IMAGES.inspect(file))
    except NotAnImage:
        pass
    else:
        assert image.size <= len(content)
        assert image.width * image.height > 0
    assert file.tell() == 0


class Slow(io.BytesIO):
    """A file that sets an event when it is first read, and waits for another event."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def read(self, size: int | None = -1) -> bytes:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.go_on.wait(10)
        return super().read(size)


async def test_images_are_decoded_off_the_event_loop_one_at_a_time() -> None:
    images = PillowImages()
    first, second = Slow(SEEDS[0]), Slow(SEEDS[4])
    inspecting = [asyncio.ensure_future(images.inspect(file)) for file in (first, second)]
    await first.begun.wait()  # this test runs on while the first is being read
    second.go_on.set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.begun.wait(), 0.1)
    first.go_on.set()
    assert [image.format for image in await asyncio.gather(*inspecting)] == ["jpeg", "png"]


async def test_a_large_jpeg_takes_little_memory_to_copy_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    load = JpegImageFile.load

    def recording(image: JpegImageFile) -> object:
        result = load(image)
        decoded.append(image.size)
        return result

    monkeypatch.setattr(JpegImageFile, "load", recording)
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000), "teal").save(file, "JPEG")
    copy = await PillowImages().reencode(file, max_side=512)
    assert (copy.width, copy.height) == (512, 384)
    assert max(decoded) == (1000, 750)


async def test_an_ambiguous_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def another_size(data: bytes) -> Outline:
        return Outline(47, 32, len(data), [])

    monkeypatch.setattr(module, "outline_of_png", another_size)
    with pytest.raises(NotAnImage):
        await PillowImages().inspect(io.BytesIO(encoded("PNG")))
