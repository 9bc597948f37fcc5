"""Pictures as cameras, phones and other programs write them, made by the tests themselves."""

import struct
import zipfile
import zlib
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin

SECRETS = (b"Mia Camera", b"PhoneMaker", b"2026:11:28", b"author of it", b"a remark", b"PRIVATE-XMP")
"""What `with_metadata` puts into a file."""
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">PRIVATE-XMP</x:xmpmeta>'
DISPLAY_P3 = ((0.51512, 0.24119, -0.00105), (0.29197, 0.69224, 0.04189), (0.15710, 0.06657, 0.78407))
"""Red, green and blue in XYZ, adapted to D50."""


def drawn(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """An image with edges, colours and noise."""
    noise = Random(1).randbytes(size[0] * size[1])  # Pillow's own noise differs with the tests that ran before
    image = Image.frombytes("L", size, noise).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 10, 60, 50), fill=(200, 40, 40))
    draw.line((0, 0, *size), fill=(20, 90, 200), width=3)
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    if format == "PNG":  # compression takes most of the time of large ones
        options.setdefault("compress_level", 1)
    image.save(file, format, **options)
    return file.getvalue()


def with_metadata(image: Image.Image, format: str, *, orientation: int = 1) -> bytes:
    """With coordinates, camera, author, time, a comment and XMP."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "PhoneMaker"
    exif[0x0110] = "Mia Camera"
    exif[0x013B] = "author of it"
    exif[0x0132] = "2026:11:28 10:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (37.0, 33.0, 59.0), 3: "E", 4: (126.0, 58.0, 40.0)})
    if format == "JPEG":
        return encoded(image, format, exif=exif, comment=b"a remark", xmp=XMP, dpi=(300, 300))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "a remark")
    texts.add_text("Author", "author of it", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return encoded(image, format, exif=exif, pnginfo=texts, dpi=(300, 300))


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def segment(marker: int, data: bytes) -> bytes:
    """Of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def png_with(png: bytes, extra: bytes, *, before: bytes = b"IEND") -> bytes:
    at = png.index(before) - 4
    return png[:at] + extra + png[at:]


def jpeg_with(jpeg: bytes, extra: bytes) -> bytes:
    """With a segment more behind the first marker."""
    return jpeg[:2] + extra + jpeg[2:]


def a_zip() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("payload.html", "nothing")
    return file.getvalue()


def galaxy_trailer() -> bytes:
    """As Samsung's phones write it: data, then a directory between SEFH and SEFT."""
    data = b"\x00\x00\x01\x0a\x0e\x00\x00\x00Image_UTC_Data1732788000000"
    directory = b"SEFH" + struct.pack("<II", 106, 1) + struct.pack("<HHII", 0, 0x0A01, len(data), len(data))
    return data + directory + struct.pack("<I", len(directory)) + b"SEFT"


def profile(red_green_blue: tuple[tuple[float, ...], ...] = DISPLAY_P3, *, gamma: float = 2.2) -> bytes:
    """An ICC profile of a display (ICC.1:2001-04, 6.3.1.2)."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \x00\x00\x00\x00" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\x00\x00\x00\x00" + struct.pack(">IH", 1, round(gamma * 256)) + b"\x00\x00"
    text = b"a display\x00"
    description = b"desc\x00\x00\x00\x00" + struct.pack(">I", len(text)) + text + bytes(12 + 67 + 3)
    parts = {
        b"desc": description + bytes(-len(description) % 4),
        b"cprt": b"text\x00\x00\x00\x00PRIVATE\x00",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, red_green_blue), strict=True)),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    at = 128 + 4 + 12 * len(parts)
    table, data = struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        table += struct.pack(">4sII", name, at + len(data), len(part))
        data += part
    size = at + len(data)
    header = struct.pack(">I4xI4s4s4s", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">iii", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + table + data


def parts_of(content: bytes) -> list[bytes]:
    """The kinds of a PNG's chunks, or a JPEG's markers up to its compressed data."""
    kinds = []
    if content.startswith(b"\x89PNG"):
        at = 8
        while at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            kinds.append(content[at + 4 : at + 8])
            at += 12 + length
        return kinds
    at = 2
    while content[at + 1] != 0xDA:
        kinds.append(content[at + 1 : at + 2])
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return kinds
