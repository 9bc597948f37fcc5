"""The structure of PNG files (PNG specification, third edition, 5 and 10)."""

import struct
import zlib
from typing import NamedTuple

from adapters.pillow.outline import Outline, check_pixels, exactly
from core.ports.images import NotAnImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"

HEADER_AT = 16
"""Where the width and height of the first chunk are, if it is a header."""

_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBBBBB")
_CHECKSUM = struct.Struct(">I")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass the first column and row, and the steps between columns and rows."""
_BUFFER = 256 * 1024
"""Bytes of pixels in memory at a time."""


class _Chunk(NamedTuple):
    kind: bytes
    data: bytes
    end: int


def outline_of_png(data: bytes) -> Outline:
    """Raises NotAnImage unless the file begins with one still PNG with valid checksums and all of its pixels."""
    chunk = _chunk(data, len(SIGNATURE))
    if chunk.kind != b"IHDR" or len(chunk.data) != _HEADER.size:
        raise NotAnImage("PNG without a header")
    header = _HEADER.unpack(chunk.data)
    check_pixels(header[0], header[1])
    pixels: list[bytes] = []
    metadata: list[bytes] = []
    while chunk.kind != b"IEND":
        chunk = _chunk(data, chunk.end)
        if chunk.kind in {b"IHDR", b"acTL"}:
            raise NotAnImage("PNG of several images")
        (pixels if chunk.kind == b"IDAT" else metadata).append(chunk.data)
    if _inflated(pixels) != _raw_size(*header):
        raise NotAnImage("PNG with too few or too many pixels")
    return Outline(header[0], header[1], chunk.end, metadata)


def _chunk(data: bytes, begin: int) -> _Chunk:
    """The chunk that begins there, with its checksum verified."""
    length, kind = _CHUNK.unpack(exactly(data, begin, _CHUNK.size))
    begin += _CHUNK.size
    content = exactly(data, begin, length)
    end = begin + length + _CHECKSUM.size
    if exactly(data, begin + length, _CHECKSUM.size) != _CHECKSUM.pack(zlib.crc32(content, zlib.crc32(kind))):
        raise NotAnImage("PNG with a wrong checksum")
    return _Chunk(kind, content, end)


def _inflated(pixels: list[bytes]) -> int:
    """The size of the decompressed pixels; -1 if the stream does not end properly."""
    stream = zlib.decompressobj()
    size = 0
    try:
        for piece in pixels:
            size += len(stream.decompress(piece, _BUFFER))
            while stream.unconsumed_tail and not stream.eof:
                size += len(stream.decompress(stream.unconsumed_tail, _BUFFER))
        while not stream.eof and (more := stream.decompress(b"", _BUFFER)):
            size += len(more)
    except zlib.error as error:
        raise NotAnImage("PNG whose pixels cannot be decompressed") from error
    return size if stream.eof and not stream.unused_data else -1


def _raw_size(
    width: int, height: int, depth: int, colour_type: int, _compression: int, _filter: int, interlaced: int
) -> int:
    """Bytes of all rows, including the filter byte of each."""
    if colour_type not in _CHANNELS or interlaced not in (0, 1):
        raise NotAnImage("PNG of an unknown kind")
    bits = depth * _CHANNELS[colour_type]
    size = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = (width - left + across - 1) // across, (height - top + down - 1) // down
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * bits + 7) // 8)
    return size
