"""Damage to files and bodies: of single bytes, and of the structure around them."""

import struct
import zlib
from collections.abc import Callable
from random import Random

MAX_LENGTH = 60
"""Bytes that are changed at a time."""

Change = Callable[[bytearray, Random], None]


def mutated(content: bytes, random: Random, *, more: tuple[Change, ...] = ()) -> bytes:
    """Changed in one to six places."""
    changing = bytearray(content)
    for _ in range(random.randint(1, 6)):
        random.choice((*CHANGES, *more))(changing, random)
    return bytes(changing)


def with_right_checksums(png: bytes) -> bytes:
    """The same PNG, so that damage gets past the checksums and to the decoder; anything else as it is."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        return png
    repaired, rest = png[:8], png[8:]
    while len(rest) >= 12:
        (length,) = struct.unpack(">I", rest[:4])
        kind_and_data = rest[4 : 8 + length]
        repaired += struct.pack(">I", max(len(kind_and_data) - 4, 0)) + kind_and_data
        repaired += struct.pack(">I", zlib.crc32(kind_and_data))
        rest = rest[12 + length :]
    return repaired


def _place(content: bytearray, random: Random) -> slice:
    position = random.randint(0, len(content))
    return slice(position, position + random.randint(0, MAX_LENGTH))


def _overwrite(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    content[place] = random.randbytes(len(content[place]))


def _insert(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    content[place.start : place.start] = random.randbytes(place.stop - place.start)


def _remove(content: bytearray, random: Random) -> None:
    del content[_place(content, random)]


def _repeat(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    content[place.start : place.start] = content[place] * random.choice((1, 1, 2, 50))


def _move(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    piece = content[place]
    del content[place]
    position = random.randint(0, len(content))
    content[position:position] = piece


def _extreme(content: bytearray, random: Random) -> None:
    """A number in the file becomes very small or very large."""
    if len(content) > 4:
        position = random.randrange(len(content) - 4)
        value = random.choice((b"\x00", b"\xff", b"\x7f", b"\x01")) * random.choice((1, 2, 4))
        content[position : position + len(value)] = value


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randint(0, len(content)) :]


CHANGES: tuple[Change, ...] = (_overwrite, _insert, _remove, _repeat, _move, _extreme, _cut)
