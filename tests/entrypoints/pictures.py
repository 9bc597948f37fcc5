"""Real pictures to upload."""

from functools import cache
from io import BytesIO

from PIL import Image


@cache
def picture(width: int = 512, height: int = 512, format: str = "PNG", hue: int = 0) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), (hue, 80, 160)).save(out, format, comment=str(hue))
    return out.getvalue()


def pictures(count: int, *, field: str = "images", first: int = 0) -> list[tuple[str, tuple[str, bytes, str]]]:
    """As httpx takes them: PNG and JPEG by turns, each another one."""
    files = []
    for index in range(first, first + count):
        format = "PNG" if index % 2 else "JPEG"
        name = f"{index}.{format.lower()}"
        files.append((field, (name, picture(format=format, hue=index), f"image/{format.lower()}")))
    return files
