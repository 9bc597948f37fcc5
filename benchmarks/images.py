"""The bytes that a page of the feed loads, with originals and with smaller copies."""

import asyncio
from io import BytesIO

import msgspec

from adapters.development.simulated_ai.painting import paint
from adapters.development.simulated_ai.style_model import StyleModel
from adapters.memory.blobs import MemoryBlobStore
from adapters.pillow.images import PillowImages
from adapters.system.clock import SystemClock
from benchmarks.table import table
from core.derivatives import PublicCopy, public_copy, public_urls
from core.generations.model import AspectRatio
from core.identifiers import UserId
from core.ports.blob_store import Blob

PAGE = 20
"""Images of a page of the feed."""
DUSK = StyleModel(((28, 43, 82), (222, 180, 96), (63, 104, 150), (236, 222, 190), (170, 72, 52)), 0.3)
SUBJECTS = ("portrait", "flowers", "city", "sea", "landscape")


def report() -> str:
    return asyncio.run(_report())


async def _report() -> str:
    images = PillowImages()
    try:
        return await _sizes(images)
    finally:
        await images.close()


async def _sizes(images: PillowImages) -> str:
    rows = [["a page of 20", "original", "preview.webp", "preview.jpeg", "thumbnail.webp", "thumbnail.jpeg"]]
    for ratio in AspectRatio:
        copies = await _page(images, ratio)
        sizes = [[_size(blob) for blob in copy.stored_as("public/x.png")] for copy in copies]
        original, small_webp, small_jpeg, large_webp, large_jpeg = (sum(column) for column in zip(*sizes, strict=True))
        width, height = ratio.size
        rows.append(
            [
                f"{width} x {height}",
                *(_kib(size) for size in (original, large_webp, large_jpeg, small_webp, small_jpeg)),
            ]
        )
    more = PAGE * len(
        msgspec.json.encode({"images": public_urls("public/generations/1/0123456789abcdef.png", _store())})
    )
    note = f"KiB, of images that the simulated AI painted. The page's JSON is {_kib(more)} KiB longer with `images`."
    return f"\n{table(rows)}\n\n{note}\n"


async def _page(images: PillowImages, ratio: AspectRatio) -> list[PublicCopy]:
    width, height = ratio.size
    copies = []
    for number in range(PAGE):
        result = BytesIO()
        subject = SUBJECTS[number % len(SUBJECTS)]
        painted = await asyncio.to_thread(paint, DUSK, width=width, height=height, seed=number, prompt_tags=[subject])
        painted.save(result, "PNG")
        copies.append(await public_copy(images, result, user=UserId(1)))
    return copies


def _store() -> MemoryBlobStore:
    return MemoryBlobStore(SystemClock(), base_url="https://storage.googleapis.com")


def _size(blob: Blob) -> int:
    return len(blob.content.read())


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f}"
