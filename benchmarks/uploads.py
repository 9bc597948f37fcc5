"""Uploads: duration and memory of a large set, and how long others wait while images are checked."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from random import Random
from statistics import median
from typing import Any
from zlib import crc32

import httpx
import msgspec
import psutil
from PIL import Image

from benchmarks.servers import MEBIBYTE, Server
from benchmarks.stage import one_service
from benchmarks.table import table
from benchmarks.users import populate
from entrypoints.container import create_container
from entrypoints.settings import read_settings

ARTWORKS = 100
LATE = 0.050
"""Target for the slowest answer of a call that only needs the event loop, in seconds."""
AVATAR = 0.5
"""Target for the slowest of another user's small pictures, in seconds."""
AVATARS = 30
BETWEEN_AVATARS = 0.2
"""Seconds."""
BETWEEN_KILLS = 3.0
"""Seconds after which an image worker is killed, as the system does that is short of memory."""
WORKERS = "adapters.pillow.forked"
"""In the command line of each."""
GROWTH = 64.0
"""Target for the memory of the server process, in MiB."""
TIMEOUT = 600.0
EVERY = 0.02
AT_ONCE = 6
"""Uploads that a browser sends at the same time to one server."""
CHECKED_EVERY = 1.0
"""Seconds between two looks at a style."""
ATTACKERS = 6


class Watched(msgspec.Struct):
    """Measurements during an upload."""

    seconds: float = 0.0
    answers: list[float] = []
    """Seconds of each answer of `GET /api/health/live`."""
    late: list[float] = []
    """Seconds that the process which asks woke up too late, each time."""
    memory: int = 0
    """Bytes of the server process at most."""
    workers: int = 0
    """Bytes of all its image workers at most."""


class Artist(msgspec.Struct, frozen=True):
    client: httpx.AsyncClient
    csrf: str


def report() -> str:
    with one_service() as (variables, running):
        return asyncio.run(_report(variables, running))


async def _report(variables: dict[str, str], running: Server) -> str:
    container = create_container(read_settings(variables))
    try:
        _, signed_in = await populate(container)
    finally:
        await container.close()
    sessions = [session for _, session in signed_in]
    rows = [["", "", "target", ""]]
    async with _artist(running, 0, sessions) as mia, _artist(running, 1, sessions) as ann:
        avatar = _encoded(Image.new("RGB", (64, 64), "teal"), "PNG")
        await _avatar(ann, avatar)  # loads code
        picture = _large()
        before = running.memory
        large = await _watched(running, lambda: _create(mia, "Large", [picture] * ARTWORKS))
        size = f"{ARTWORKS} x {len(picture) / 1_000_000:.0f} MB"
        rows += [[f"{size}, one request", f"{large.seconds:.1f} s", "", ""], *_of_server(large, before)]
        before = running.memory
        uploads: list[int] = []
        sending = await _watched(running, lambda: _upload(mia, [picture] * ARTWORKS, uploads))
        rows += [[f"{size}, {AT_ONCE} uploads at a time", f"{sending.seconds:.1f} s", "", ""]]
        rows += _of_server(sending, before)
        before = running.memory
        checking = await _watched(running, lambda: _check(mia, "Direct", uploads))
        rows += [[f"{size}, checked after the answer", f"{checking.seconds:.1f} s", "", ""]]
        rows += _of_server(checking, before)
        heavy = _long_to_decode()
        artists = [artist async for artist in _attackers(running, sessions)]
        try:
            attack = [asyncio.create_task(_create(artist, "Heavy", [heavy] * 10)) for artist in artists]
            killing = asyncio.create_task(_kill(running))
            await asyncio.sleep(0.5)
            waits: list[float] = []
            other = await _watched(running, lambda: _avatars(ann, avatar, waits))
            ended = sum(each.done() for each in attack)
            killing.cancel()
            await asyncio.gather(*attack)
        finally:
            for artist in artists:
                await artist.client.aclose()
        rows += [
            [
                f"slowest of {AVATARS} profile images of 64 x 64 beside {ATTACKERS} sets of PNGs of 50 megapixels",
                f"{max(waits):.2f} s",
                f"< {AVATAR:g} s",
                _verdict(max(waits) < AVATAR),
            ],
            ["median of them; sets that had ended by then", f"{median(waits):.2f} s; {ended}", "", ""],
            *_common(other),
        ]
    return table(rows)


def _of_server(watched: Watched, before: int) -> list[list[str]]:
    growth = (watched.memory - before) / MEBIBYTE
    memory = ["memory of the server", f"+{growth:.0f} MB", f"< {GROWTH:g} MB", _verdict(growth < GROWTH)]
    return [memory, *_common(watched)]


def _common(watched: Watched) -> list[list[str]]:
    slowest = max(watched.answers)
    return [
        ["memory of its image workers", f"{watched.workers / MEBIBYTE:.0f} MB", "", ""],
        [
            f"slowest of {len(watched.answers):,} answers meanwhile that need only the event loop",
            f"{slowest * 1000:.0f} ms",
            f"< {LATE * 1000:.0f} ms",
            _verdict(slowest < LATE),
        ],
        ["latest wake-up of a process that only sleeps", f"{max(watched.late) * 1000:.0f} ms", "", ""],
    ]


async def _watched(running: Server, work: Callable[[], Awaitable[None]]) -> Watched:
    watched = Watched()
    watching = [asyncio.create_task(_probe(running, watched)), asyncio.create_task(_weigh(running, watched))]
    began = time.perf_counter()
    await work()
    watched.seconds = time.perf_counter() - began
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return watched


async def _probe(running: Server, watched: Watched) -> None:
    """In a process of its own, since this one is busy with sending."""
    command = [*psutil.Process().cmdline()[:1], "-m", "benchmarks.probe", str(running.port), str(EVERY)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    try:
        async for line in process.stdout:
            answer, late = map(float, line.split())
            watched.answers.append(answer)
            watched.late.append(late)
    finally:
        process.kill()
        await process.wait()


async def _weigh(running: Server, watched: Watched) -> None:
    while True:
        watched.memory = max(watched.memory, running.memory)
        workers = 0
        for each in _workers(running):
            with suppress(psutil.NoSuchProcess):
                workers += each.memory_info().rss
        watched.workers = max(watched.workers, workers)
        await asyncio.sleep(EVERY)


async def _kill(running: Server) -> None:
    """The worker that has worked most, again and again."""
    while True:
        await asyncio.sleep(BETWEEN_KILLS)
        with suppress(psutil.NoSuchProcess):
            max(_workers(running), key=lambda each: each.cpu_times().user).kill()


def _workers(running: Server) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(running.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if WORKERS in child.cmdline():
                found.append(child)
    return found


@asynccontextmanager
async def _artist(running: Server, number: int, sessions: list[str]) -> AsyncIterator[Artist]:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.port}", cookies={"sessionid": sessions[number]}, timeout=TIMEOUT
    ) as client:
        yield await _upgraded(client, number)


async def _attackers(running: Server, sessions: list[str]) -> AsyncIterator[Artist]:
    for number in range(2, 2 + ATTACKERS):
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{running.port}", cookies={"sessionid": sessions[number]}, timeout=TIMEOUT
        )
        yield await _upgraded(client, number)


async def _upgraded(client: httpx.AsyncClient, number: int) -> Artist:
    csrf = (await client.get("/api/auth/me")).raise_for_status().headers["X-CSRFToken"]
    answer = await client.post(
        "/api/users/me/upgrade-to-artist",
        data={"artist_name": f"benchmark {number}", "verified_email": f"buyer-{number}@example.com"},
        files={"signature_image": ("signature.png", _encoded(Image.new("RGB", (64, 64)), "PNG"))},
        headers={"X-CSRFToken": csrf},
    )
    answer.raise_for_status()
    return Artist(client, csrf)


async def _avatar(artist: Artist, picture: bytes) -> None:
    files = {"profile_image": ("me.png", picture)}
    answer = await artist.client.patch("/api/users/me", files=files, headers={"X-CSRFToken": artist.csrf})
    answer.raise_for_status()


async def _avatars(artist: Artist, picture: bytes, waits: list[float]) -> None:
    """One after the other; `waits` gets the seconds of each."""
    for _ in range(AVATARS):
        await asyncio.sleep(BETWEEN_AVATARS)
        began = time.perf_counter()
        await _avatar(artist, picture)
        waits.append(time.perf_counter() - began)


async def _create(artist: Artist, name: str, pictures: list[bytes]) -> None:
    """The set may also be refused, or not be checked because workers are killed."""
    boundary = "benchmark"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="'.encode()
    fields = {"name": name, "generation_cost_tokens": "1"}
    parts = [head + f'{field}"\r\n\r\n{value}\r\n'.encode() for field, value in fields.items()]
    file = head + b'images"; filename="picture"\r\nContent-Type: application/octet-stream\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
        for number, picture in enumerate(pictures):
            yield file
            yield _with_comment(picture, number)
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    length = sum(map(len, parts)) + sum(len(file) + len(_with_comment(picture, 0)) + 2 for picture in pictures)
    headers = {
        "X-CSRFToken": artist.csrf,
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(length + len(boundary) + 6),
    }
    answer = await artist.client.post("/api/styles", content=body(), headers=headers)
    if answer.status_code not in {201, 422, 503}:
        answer.raise_for_status()


async def _upload(artist: Artist, pictures: list[bytes], uploads: list[int]) -> None:
    """Straight to the store, which here is a folder that the server itself writes; the ids go to `uploads`."""
    headers = {"X-CSRFToken": artist.csrf}
    size = len(_with_comment(pictures[0], 0))
    files = [{"name": "picture", "content_type": "image/jpeg", "size": size}] * len(pictures)
    answer = await artist.client.post("/api/styles/uploads", json={"files": files}, headers=headers)
    announced = answer.raise_for_status().json()["data"]
    turn = asyncio.Semaphore(AT_ONCE)

    async def send(number: int, upload: dict[str, Any]) -> None:
        async with turn:
            sent = await artist.client.request(
                upload["method"],
                upload["upload_url"],
                headers=upload["headers"],
                content=_with_comment(pictures[number], number),
            )
            sent.raise_for_status()

    await asyncio.gather(*(send(number, upload) for number, upload in enumerate(announced)))
    uploads += [upload["upload_id"] for upload in announced]


async def _check(artist: Artist, name: str, uploads: list[int]) -> None:
    """From the call until the last file is checked."""
    fields = {"name": name, "generation_cost_tokens": 1, "upload_ids": uploads}
    answer = await artist.client.post("/api/styles", json=fields, headers={"X-CSRFToken": artist.csrf})
    style = answer.raise_for_status().headers["Location"]
    while True:
        seen = (await artist.client.get(style)).raise_for_status().json()["data"]
        if seen["failure"]:
            raise RuntimeError(seen["failure"])
        if not seen["checking"]:
            return
        await asyncio.sleep(CHECKED_EVERY)


def _with_comment(picture: bytes, number: int) -> bytes:
    """The same picture as another file."""
    if picture.startswith(b"\x89PNG"):
        text, end = b"tEXtComment\0%04d" % number, picture.rindex(b"IEND") - 4
        return picture[:end] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", crc32(text)) + picture[end:]
    return picture[:2] + struct.pack(">BBHI", 0xFF, 0xFE, 6, number) + picture[2:]


def _large() -> bytes:
    """About 10 MB."""
    noise = Image.frombytes("RGB", (4000, 3000), Random(1).randbytes(4000 * 3000 * 3))
    return _encoded(noise, "JPEG", quality=80)


def _long_to_decode() -> bytes:
    """As many pixels as are accepted, in few bytes."""
    return _encoded(Image.new("RGBA", (7070, 7070), "teal"), "PNG")


def _encoded(image: Image.Image, format: str, **options: object) -> bytes:
    content = BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def _verdict(met: bool) -> str:
    return "met" if met else "missed"
