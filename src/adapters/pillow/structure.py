"""The outer structure of image files: where they begin, how large they say they are, and where they end.

Decoders look at the parts that they need. These look at every part, so that nothing else rides along: a file ends where
its image ends.
"""

import re
import struct
import zlib
from typing import BinaryIO

from core.ports.images import NotAnImage

MAX_PIXELS = 50_000_000
MAX_SEGMENTS = 2_000
"""Parts of a JPEG; colour profiles and metadata come in up to 255 parts each."""
MAX_SCANS = 100
"""Passes of a progressive JPEG; encoders make ten or so. A pass of few bytes takes as long as the image is large."""
CHUNK = 64 * 1024

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_PNG_CHUNK = struct.Struct(">I4s")
_PNG_HEADER = struct.Struct(">II5x")
_CHECKSUM = struct.Struct(">I")
_JPEG_LENGTH = struct.Struct(">H")
_JPEG_FRAME = struct.Struct(">xHH")
_SEGMENTS = {*range(0xC0, 0xFF)} - {*range(0xD0, 0xD9)}
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE, _FILL = 0xDA, 0xD9, 0xFF
# In compressed data FF 00 means FF, FF D0 to FF D7 are marks within it, and more than one FF may come before a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def check_png(content: BinaryIO) -> tuple[int, int]:
    """Width and height. Raises NotAnImage unless it is one still PNG with sound checksums, and nothing behind it."""
    content.seek(len(PNG_SIGNATURE))
    kind, header = _png_chunk(content)
    if kind != b"IHDR" or len(header) != _PNG_HEADER.size:
        raise NotAnImage("PNG without a header")
    width, height = _PNG_HEADER.unpack(header)
    _check_pixels(width, height)
    while kind != b"IEND":
        kind, _ = _png_chunk(content)
        if kind in {b"IHDR", b"acTL"}:
            raise NotAnImage("PNG of several images")
    if content.read(1):
        raise NotAnImage("data behind the PNG's end")
    return width, height


def _png_chunk(content: BinaryIO) -> tuple[bytes, bytes]:
    """A chunk's type and the beginning of its data, whose checksum is right."""
    length, kind = _PNG_CHUNK.unpack(_exactly(content, _PNG_CHUNK.size))
    checksum = zlib.crc32(kind)
    beginning = b""
    while length:
        data = _exactly(content, min(length, CHUNK))
        beginning = beginning or data
        checksum = zlib.crc32(data, checksum)
        length -= len(data)
    if _exactly(content, _CHECKSUM.size) != _CHECKSUM.pack(checksum):
        raise NotAnImage("PNG with a wrong checksum")
    return kind, beginning


def check_jpeg(content: BinaryIO) -> tuple[int, int]:
    """Width and height. Raises NotAnImage unless it is one JPEG with nothing behind it.

    Padding is nothing: bytes 00 or FF, with which some encoders fill the last block. A second image (a phone's gain map
    or video) is something: the part of it that is no image of its own could be anything.
    """
    content.seek(2)
    size: tuple[int, int] | None = None
    scans = 0
    for _ in range(MAX_SEGMENTS):
        marker = _jpeg_marker(content)
        if marker == _END_OF_IMAGE:
            break
        segment = _jpeg_segment(content)
        if marker in _START_OF_FRAME:
            if len(segment) < _JPEG_FRAME.size:
                raise NotAnImage("JPEG with a broken header")
            height, width = _JPEG_FRAME.unpack_from(segment)
            _check_pixels(width, height)
            size = (width, height)
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise NotAnImage("JPEG of too many scans")
            _skip_compressed_data(content)
    else:
        raise NotAnImage("JPEG of too many segments")
    if not size or not scans:
        raise NotAnImage("JPEG without an image")
    while rest := content.read(CHUNK):
        if rest.strip(b"\x00\xff"):
            raise NotAnImage("data behind the JPEG's end")
    return size


def _jpeg_marker(content: BinaryIO) -> int:
    if _exactly(content, 1)[0] != _FILL:
        raise NotAnImage("JPEG with data between its segments")
    while (marker := _exactly(content, 1)[0]) == _FILL:
        pass
    if marker not in _SEGMENTS:
        raise NotAnImage("JPEG with a marker out of place")
    return marker


def _jpeg_segment(content: BinaryIO) -> bytes:
    (length,) = _JPEG_LENGTH.unpack(_exactly(content, _JPEG_LENGTH.size))
    if length < _JPEG_LENGTH.size:
        raise NotAnImage("JPEG with a broken segment")
    return _exactly(content, length - _JPEG_LENGTH.size)


def _skip_compressed_data(content: BinaryIO) -> None:
    """Go to the next marker that is not part of the compressed data."""
    while chunk := content.read(CHUNK):
        if found := _MARKER.search(chunk):
            content.seek(found.start() - len(chunk), 1)
            return
        if chunk.endswith(b"\xff") and len(chunk) > 1:
            content.seek(-1, 1)
    raise NotAnImage("JPEG without an end")


def _exactly(content: BinaryIO, size: int) -> bytes:
    data = content.read(size)
    if len(data) < size:
        raise NotAnImage("the file ends too early")
    return data


def _check_pixels(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise NotAnImage(f"an image of {width} x {height} pixels")
