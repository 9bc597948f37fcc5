import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from adapters.pillow.structure import JPEG_SIGNATURE, PNG_SIGNATURE, check_jpeg, check_png
from core.ports.images import ImageFacts, Images, NotAnImage


class PillowImages(Images):
    """One thread of its own decodes one image after another, so that memory is bounded by the largest of them.

    A JPEG carries no checksums: damage to its compressed data is found only where the decoder stumbles on it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="images")

    async def inspect(self, content: BinaryIO) -> ImageFacts:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _inspect, content)


def _inspect(content: BinaryIO) -> ImageFacts:
    try:
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        signature = content.read(len(PNG_SIGNATURE))
        if signature == PNG_SIGNATURE:
            width, height = check_png(content)
            _decode(PngImageFile, content, (width, height))
            return ImageFacts("png", width, height, size)
        if signature.startswith(JPEG_SIGNATURE):
            width, height = check_jpeg(content)
            _decode(JpegImageFile, content, (width, height))
            return ImageFacts("jpeg", width, height, size)
        raise NotAnImage("neither JPEG nor PNG")
    finally:
        content.seek(0)


def _decode(plugin: type[ImageFile], content: BinaryIO, size: tuple[int, int]) -> None:
    content.seek(0)
    try:
        image = plugin(content)
        if image.size == size:
            # A JPEG can be decoded at an eighth of its size: all of its data is read, a 64th of the pixels is kept.
            image.draft(None, (1, 1))
            image.load()
            return
    except Exception as error:  # hostile files make decoders fail in any way
        raise NotAnImage("it cannot be decoded") from error
    raise NotAnImage("it is understood in two ways")
