import asyncio
import os
from collections.abc import Callable, Hashable
from hashlib import file_digest
from io import BytesIO
from typing import BinaryIO, NamedTuple, TypeVar

from adapters.pillow import decoding
from adapters.pillow.first_bytes import first_bytes
from adapters.pillow.fork_server import ForkServer
from adapters.pillow.forked import Limits
from adapters.pillow.refused_files import RefusedFiles
from adapters.pillow.small import is_small
from adapters.pillow.turns import Turns
from adapters.pillow.worker_processes import Runner, WorkerProcesses
from core.identifiers import UserId
from core.ports.images import Derivative, Image, Images, NotAnImage

T = TypeVar("T")


NICENESS = 10
"""Of the workers that may be busy for long: on a busy machine the event loop and small images have priority."""
SMALL = Limits(cpu_seconds=2)
"""Of a small image, see `small`."""


class _Lane(NamedTuple):
    turns: Turns
    runner: Runner


class PillowImages(Images):
    """Decodes up to `workers` images at a time, each in a process of its own; only those are in memory.

    Small ones are decoded in one more process, one at a time, so that they never wait for those that take long, nor for
    the start of a process: theirs is killed for nothing but a small image.

    JPEG has no checksums: damaged data is detected only if the decoder fails or pixels are missing.
    """

    def __init__(self, *, workers: int = 2, runner: Runner | None = None) -> None:
        self._forks = ForkServer()
        small = WorkerProcesses(self._forks, 1, limits=SMALL)
        large = WorkerProcesses(self._forks, workers, niceness=NICENESS)
        self._pools = (small, large)
        self._small = _Lane(Turns(1), runner or small)
        self._large = _Lane(Turns(workers), runner or large)
        self._refused = RefusedFiles()

    async def start(self) -> None:
        """Start the processes, so that no image waits for that. Raises ImagesUnavailable."""
        for pool in self._pools:
            await pool.start()

    async def close(self) -> None:
        """End the processes. No call may be running."""
        for pool in self._pools:
            await pool.close()
        await asyncio.to_thread(self._forks.close)

    async def inspect(self, content: BinaryIO, *, user: UserId) -> Image:
        found = await self._decoded(user, content, decoding.inspect)
        whole = content.seek(0, os.SEEK_END) == found.size
        content.seek(0)
        image = content if whole else first_bytes(content, found.size)
        return Image(found.format, found.width, found.height, found.size, found.digest, image, found.perceptual_hash)

    async def reencode(self, content: BinaryIO, *, user: UserId, max_side: int | None = None) -> Image:
        copy = await self._decoded(user, content, decoding.reencode, max_side)
        return Image(copy.format, copy.width, copy.height, len(copy.content), copy.digest, BytesIO(copy.content))

    async def shrink(self, content: BinaryIO, *, user: UserId, sides: tuple[int, ...]) -> list[Derivative]:
        smaller = await self._decoded(user, content, decoding.shrink, sides)
        return [Derivative(one.side, one.format, BytesIO(one.content)) for one in smaller]

    async def _decoded(self, user: UserId, content: BinaryIO, function: Callable[..., T], *arguments: Hashable) -> T:
        digest, small = await asyncio.to_thread(_look, content)
        key = (function, arguments, digest)
        reason = self._refused.reason(key)
        if reason is not None:
            raise NotAnImage(reason)
        lane = self._small if small else self._large
        async with lane.turns.turn(user):
            data = await asyncio.to_thread(_whole, content)
            try:
                return await lane.runner.run(function, data, *arguments)
            except NotAnImage as refusal:
                self._refused.add(key, str(refusal))
                raise


def _look(content: BinaryIO) -> tuple[bytes, bool]:
    """The digest, and whether it is small."""
    small = is_small(content)
    try:
        return file_digest(content, "sha256").digest(), small  # type: ignore[arg-type]
    finally:
        content.seek(0)


def _whole(content: BinaryIO) -> bytes:
    content.seek(0)
    try:
        return content.read()
    finally:
        content.seek(0)
