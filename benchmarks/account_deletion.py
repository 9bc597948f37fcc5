"""Deletion of a large account: latency of the call, duration of the maintenance passes, cost of an export."""

import asyncio
import time

import asyncpg
import httpx
from dishka import AsyncContainer

from benchmarks.servers import MEBIBYTE, Server
from benchmarks.stage import one_service
from benchmarks.table import table
from benchmarks.users import populate
from core.account_deletion.erase_accounts import EraseAccounts
from core.identifiers import UserId
from entrypoints.container import create_container
from entrypoints.settings import read_settings
from tests.support.fills.account import large_account
from tests.support.fills.fill import filling

IMAGES, LIKES, COMMENTS, FOLLOWERS = 10_000, 30_000, 30_000, 10_000
PROMPT = 5.0
"""Target for the latency of the call, in seconds."""
GROWTH = 32.0
"""Target for the memory of an export, in MiB."""
TIMEOUT = 120.0


def report() -> str:
    with one_service() as (variables, running):
        return asyncio.run(_report(variables, running))


async def _report(variables: dict[str, str], running: Server) -> str:
    container = create_container(read_settings(variables))
    try:
        _, [(user_id, session), *_] = await populate(container)
        await _make(variables["DATABASE_URL"], user_id)
        cookies = {"sessionid": session}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{running.port}", cookies=cookies, timeout=TIMEOUT
        ) as client:
            csrf = (await client.get("/api/auth/me")).raise_for_status().headers["X-CSRFToken"]
            size, exported_in, growth = await _export(client, running)
            began = time.perf_counter()
            (await client.delete("/api/users/me", headers={"X-CSRFToken": csrf})).raise_for_status()
            answered_in = time.perf_counter() - began
        left = await _left(variables["DATABASE_URL"], user_id)
        began = time.perf_counter()
        while await _left(variables["DATABASE_URL"], user_id):
            await _run_maintenance(container)
        swept_in = time.perf_counter() - began
    finally:
        await container.close()
    return table(
        [
            [f"{IMAGES:,} images, {LIKES:,} likes, {COMMENTS:,} comments, {FOLLOWERS:,} followers", "", ""],
            ["an export of them", f"{size / MEBIBYTE:.1f} MB", ""],
            ["takes", f"{exported_in:.1f} s", ""],
            ["memory of the process grows by", f"{growth:.0f} MB", _verdict(growth < GROWTH, f"{GROWTH:.0f} MB")],
            [
                "DELETE /api/users/me is answered in",
                f"{answered_in:.1f} s",
                _verdict(answered_in < PROMPT, f"{PROMPT:.0f} s"),
            ],
            ["rows left to maintenance", f"{left:,}", ""],
            ["erased by it after", f"{swept_in:.1f} s", ""],
        ]
    )


async def _export(client: httpx.AsyncClient, running: Server) -> tuple[int, float, float]:
    """Bytes, seconds, and by how many mebibytes the process grew meanwhile."""
    before, most, size, began = running.memory, 0, 0, time.perf_counter()
    async with client.stream("GET", "/api/users/me/export") as response:
        response.raise_for_status()
        async for piece in response.aiter_bytes():
            size += len(piece)
            most = max(most, running.memory)
    return size, time.perf_counter() - began, (most - before) / MEBIBYTE


async def _run_maintenance(container: AsyncContainer) -> None:
    async with container() as request:
        await (await request.get(EraseAccounts))()


async def _make(url: str, user_id: UserId) -> None:
    async with filling(url) as fill:
        await large_account(fill, user_id, images=IMAGES, likes=LIKES, comments=COMMENTS, followers=FOLLOWERS)


async def _left(url: str, user_id: UserId) -> int:
    """Rows of the user, the user included."""
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(
            """
            SELECT (SELECT count(*) FROM users WHERE id = $1) + (SELECT count(*) FROM likes WHERE user_id = $1)
                + (SELECT count(*) FROM generations WHERE owner_id = $1)
                + (SELECT count(*) FROM follows WHERE followed_id = $1)
                + (SELECT count(*) FROM notifications WHERE recipient_id = $1)
            """,
            user_id,
        )
        return count
    finally:
        await connection.close()


def _verdict(met: bool, target: str) -> str:
    return f"target: < {target}, {'met' if met else 'missed'}"
