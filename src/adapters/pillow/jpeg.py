"""The structure of JPEG files (ITU-T T.81, B), and whether all of their pixels are present."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from adapters.pillow.outline import MAX_PIXELS, Outline, check_pixels, exactly
from core.ports.images import NotAnImage

SIGNATURE = b"\xff\xd8\xff"

MAX_SEGMENTS = 2_000
"""Segments of a JPEG; colour profiles and metadata have up to 255 segments each."""
MAX_SCANS = 100
"""Scans of a progressive JPEG; encoders make about ten."""
MAX_SCANNED = 24 * MAX_PIXELS
"""Coefficients that all scans together go through: a scan of few bytes takes as long as the image is large. Encoders
make up to 14 for each pixel in colour, and 24 in CMYK.
"""

_LENGTH = struct.Struct(">H")
_FRAME = struct.Struct(">BHHB")
_SEGMENTS = {*range(0xC0, 0xFF)} - {*range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive: the types that browsers support."""
_PROGRESSIVE, _SCAN, _END, _RESTART_INTERVAL, _FILL = 0xC2, 0xDA, 0xD9, 0xDD, 0xFF
_COEFFICIENTS = 64
"""Per block of 8 x 8 pixels."""
# In compressed data FF 00 means FF, FF D0 to FF D7 are restart markers, and several FF may precede a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")


class JpegOutline(NamedTuple):
    outline: Outline
    scans: list[tuple[int, int]]
    """Start and end of each scan's compressed data."""
    scanned: int
    """Coefficients that all scans together go through."""


class _Component(NamedTuple):
    horizontal: int
    vertical: int


class _Frame:
    """The frame header, and which coefficients the scans have provided so far."""

    def __init__(self, marker: int, segment: bytes) -> None:
        if marker not in _HUFFMAN_FRAMES:
            raise NotAnImage("JPEG of a kind that browsers do not show")
        _, self.height, self.width, count = _FRAME.unpack(exactly(segment, 0, _FRAME.size))
        check_pixels(self.width, self.height)
        self.progressive = marker == _PROGRESSIVE
        self.components: dict[int, _Component] = {}
        for index in range(count):
            name, sampling, _ = exactly(segment, _FRAME.size + 3 * index, 3)
            self.components[name] = _Component(sampling >> 4, sampling & 15)
        factors = {factor for component in self.components.values() for factor in component}
        if not factors or len(self.components) != count or not factors <= {1, 2, 3, 4}:
            raise NotAnImage("JPEG with a broken header")
        self._missing = {(name, coefficient) for name in self.components for coefficient in range(_COEFFICIENTS)}
        self.scanned = 0

    def scan(self, segment: bytes, data: bytes, restart_interval: int) -> None:
        """Record a scan. Raises NotAnImage if its compressed data cannot be complete."""
        names = [name for name, _ in struct.iter_unpack("BB", exactly(segment, 1, 2 * segment[0]))] if segment else []
        first, last, approximation = exactly(segment, 1 + 2 * len(names), 3)
        if not names or not self.components.keys() >= set(names):
            raise NotAnImage("JPEG with a broken scan")
        if not self.progressive:
            first, last, approximation = 0, _COEFFICIENTS - 1, 0
        covered = {(name, coefficient) for name in names for coefficient in range(first, last + 1)}
        # The low half of `approximation` is the number of bits left to later scans.
        self._missing = self._missing | covered if approximation & 15 else self._missing - covered
        units, blocks = self._extent([self.components[name] for name in names])
        self.scanned += blocks * _COEFFICIENTS
        if self.scanned > MAX_SCANNED:
            raise NotAnImage("JPEG that takes too long to decode")
        if restart_interval and len(_RESTART.findall(data)) < (units - 1) // restart_interval:
            raise NotAnImage("JPEG with too few restarts")
        # At least two codes of one bit per block; in a progressive scan one code can cover all blocks.
        if 8 * len(data) < (1 if self.progressive else 2 * blocks):
            raise NotAnImage("JPEG with too little data")

    def check_complete(self) -> None:
        if self._missing:
            raise NotAnImage("JPEG that lacks scans")

    def _extent(self, components: list[_Component]) -> tuple[int, int]:
        """Minimum coded units and blocks of a scan of these components (T.81, A.2)."""
        widest = max(component.horizontal for component in self.components.values())
        highest = max(component.vertical for component in self.components.values())
        if len(components) == 1:
            across = -(-self.width * components[0].horizontal // widest)
            down = -(-self.height * components[0].vertical // highest)
            blocks = -(-across // 8) * -(-down // 8)
            return blocks, blocks
        units = -(-self.width // (8 * widest)) * -(-self.height // (8 * highest))
        return units, units * sum(component.horizontal * component.vertical for component in components)


def outline_of_jpeg(data: bytes) -> JpegOutline:
    """Raises NotAnImage unless the file begins with a JPEG with all scans and restarts."""
    frame: _Frame | None = None
    metadata: list[bytes] = []
    scans: list[tuple[int, int]] = []
    restart_interval = 0
    for marker, begin, end, following in _parts(data):
        segment = data[begin:end]
        metadata.append(segment)
        if marker == _END:
            break
        if marker in _FRAMES:
            if frame:
                raise NotAnImage("JPEG of several images")
            frame = _Frame(marker, segment)
        elif marker == _RESTART_INTERVAL:
            (restart_interval,) = _LENGTH.unpack(exactly(segment, 0, _LENGTH.size))
        elif marker == _SCAN:
            scans.append((end, following))
            if frame is None or len(scans) > MAX_SCANS:
                raise NotAnImage("JPEG of no image, or of too many scans")
            frame.scan(segment, data[end:following], restart_interval)
    if frame is None:
        raise NotAnImage("JPEG without an image")
    frame.check_complete()
    return JpegOutline(Outline(frame.width, frame.height, end, metadata), scans, frame.scanned)


def size_of_frame(data: bytes) -> tuple[int, int]:
    """Width and height as the first frame header says. Raises NotAnImage without one."""
    for marker, begin, end, _ in _parts(data):
        if marker in _FRAMES:
            _, height, width, _ = _FRAME.unpack(exactly(data[begin:end], 0, _FRAME.size))
            return width, height
    raise NotAnImage("JPEG without an image")


def with_filler(data: bytes, scans: list[tuple[int, int]], filler: bytes) -> bytes:
    """The same JPEG with filler after all compressed data, which decoders ignore unless data is missing before it.

    Decoders silently make up missing data. A JPEG is truncated if two fillers give different pixels.
    """
    parts, position = [], 0
    for begin, end in scans:
        parts.append(data[position:begin])
        parts.append(_RESTART.sub(lambda restart: filler + restart[0], data[begin:end]))
        parts.append(filler)
        position = end
    return b"".join([*parts, data[position:]])


def _parts(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each marker up to the end of the image: start and end of its segment, and the next marker."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if exactly(data, at, 1)[0] != _FILL:
            raise NotAnImage("JPEG with data between its segments")
        while (marker := exactly(data, at + 1, 1)[0]) == _FILL:
            at += 1
        at += 2
        if marker not in _SEGMENTS:
            raise NotAnImage("JPEG with a marker out of place")
        if marker == _END:
            yield marker, at, at, at
            return
        (length,) = _LENGTH.unpack(exactly(data, at, _LENGTH.size))
        if length < _LENGTH.size:
            raise NotAnImage("JPEG with a broken segment")
        exactly(data, at, length)
        end = at + length
        following = _end_of_scan(data, end) if marker == _SCAN else end
        yield marker, at + _LENGTH.size, end, following
        at = following
    raise NotAnImage("JPEG of too many segments")


def _end_of_scan(data: bytes, begin: int) -> int:
    """The next marker that is not part of the compressed data."""
    found = _MARKER.search(data, begin)
    if not found:
        raise NotAnImage("JPEG without an end")
    end = found.start()
    while end > begin and data[end - 1] == _FILL:  # fill bytes before the marker
        end -= 1
    return end
