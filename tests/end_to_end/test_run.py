"""`make run` as a process: what it starts, keeps and leaves behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urljoin

import httpx
import psutil
import pytest

from tests.support.ports import free_port
from tests.support.processes import NOWHERE, environment

STARTS_WITHIN = 90.0
STOPS_WITHIN = 20.0


class Machine:
    """A fresh one: a folder for the state, a free port, and nothing in the environment."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def command(self, name: str, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command of the service in its own process group; killed after the test."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrypoints.cli", *name.split()),
            env=environment(**{"PORT": str(self.port), "DATA_DIR": str(self.data), "RATE_LIMITS": "off", **environ}),
            cwd=NOWHERE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    @asynccontextmanager
    async def service(self) -> AsyncIterator["Service"]:
        async with (
            self.command("run") as process,
            httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as browser,
        ):
            service = Service(process, browser)
            await service.first_answer()
            yield service

    async def listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    async def outcome(self, name: str, **environ: str) -> tuple[int | None, str]:
        async with self.command(name, **environ) as process, asyncio.timeout(STARTS_WITHIN):
            output, _ = await process.communicate()
        return process.returncode, output.decode()

    def processes(self) -> list[str]:
        """Whatever runs here, and whatever works on the state."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            known = [*(process.info["cmdline"] or []), (process.info["environ"] or {}).get("DATA_DIR", "")]
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(self.data) in part for part in known):
                found.append(" ".join(process.info["cmdline"]))
        return found


class Service:
    def __init__(self, process: asyncio.subprocess.Process, browser: httpx.AsyncClient) -> None:
        self.process = process
        self.browser = browser

    async def first_answer(self) -> None:
        async with asyncio.timeout(STARTS_WITHIN):
            while self.process.returncode is None:
                try:
                    if (await self.browser.get("/api/health")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.02)  # there is no event for an opened port
        raise AssertionError(await self.output())

    async def follow(self, url: str) -> httpx.Response:
        """To where redirects lead."""
        answer = await self.browser.get(url)
        while answer.is_redirect:
            answer = await self.browser.get(urljoin(str(answer.url), answer.headers["Location"]))
        return answer

    async def me(self, *, session: str) -> httpx.Response:
        return await self.browser.get("/api/auth/me", headers={"Cookie": f"sessionid={session}"})

    async def sign_in(self, email: str) -> str:
        """The session."""
        await self.follow(f"/api/auth/google/login?login_hint={email}")
        return self.browser.cookies["sessionid"]

    async def stop(self, number: signal.Signals, *, group: bool = False) -> int | None:
        (os.killpg if group else os.kill)(self.process.pid, number)
        async with asyncio.timeout(STOPS_WITHIN):
            return await self.process.wait()

    async def output(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()


@pytest.fixture
def machine() -> Iterator[Machine]:
    # Not one of pytest's directories: those are closed to the user as whom the embedded database runs for root.
    with TemporaryDirectory(prefix="style license ") as folder:
        yield Machine(Path(folder))


async def test_run_starts_from_scratch_and_keeps_its_state(machine: Machine) -> None:
    async with machine.service() as first:
        session = await first.sign_in("someone@example.com")
        answer = await first.me(session=session)
        me, csrf_token = answer.json()["data"], answer.headers["X-CSRFToken"]
        asked = await first.follow("/api/auth/google/login")
        status = await first.stop(signal.SIGINT, group=True)
        output = await first.output()

    assert (me["email"], me["token_balance"]) == ("someone@example.com", 100)
    assert 'name="login_hint"' in asked.text
    assert f"Style License listens on {machine.url}" in output
    assert f"{machine.url}/api/auth/google/login?login_hint=someone@example.com" in output
    assert "Traceback" not in output
    assert status == 0
    assert machine.processes() == []

    async with machine.service() as second:
        answer = await second.me(session=session)
        status = await second.stop(signal.SIGTERM)

    assert answer.json()["data"] == me
    assert answer.headers["X-CSRFToken"] == csrf_token  # the same secret has signed it
    assert status == 0
    assert machine.processes() == []


async def test_a_running_request_is_answered_after_sigterm(machine: Machine) -> None:
    body = b'{"eventType": "CUSTOMER_STATUS_CHANGED", "data": {}}'
    head = (
        "POST /api/webhooks/toss/payment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    async with machine.service() as service, asyncio.timeout(STOPS_WITHIN):
        reader, writer = await asyncio.open_connection("127.0.0.1", machine.port)
        writer.write(head.encode())
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")  # the application waits for the body
        service.process.send_signal(signal.SIGTERM)
        while await machine.listens():  # noqa: ASYNC110 - there is no event for a closed port
            await asyncio.sleep(0.01)
        writer.write(body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = await service.process.wait()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200")
    assert status == 0
    assert machine.processes() == []


async def test_sigterm_ends_streams(machine: Machine) -> None:
    """In order, as HTTP has it: one that is cut off is an error to the client."""
    async with machine.service() as service, asyncio.timeout(STARTS_WITHIN):
        await service.sign_in("someone@example.com")
        async with service.browser.stream("GET", "/api/notifications/events") as stream:
            parts = stream.aiter_bytes()
            assert await anext(parts) == b":\n\n"
            service.process.send_signal(signal.SIGTERM)
            assert all([part == b":\n\n" async for part in parts])
        status = await service.process.wait()

    assert status == 0
    assert machine.processes() == []


async def test_the_data_directory_is_private(machine: Machine) -> None:
    async with machine.service() as service:
        await service.stop(signal.SIGHUP)

    own = [path for path in machine.data.rglob("*") if path.is_file() and "postgres" not in path.parts]
    assert {path.name for path in own} >= {"secrets.json", "lock"}
    assert {oct(path.stat().st_mode & 0o777) for path in own} == {"0o600"}
    assert machine.data.stat().st_mode & 0o066 == 0
    assert machine.processes() == []


async def test_a_start_after_sigkill_stops_leftover_processes(machine: Machine) -> None:
    async with machine.service() as killed:
        session = await killed.sign_in("someone@example.com")
        await killed.stop(signal.SIGKILL)
    assert any("postgres" in process for process in machine.processes())

    async with machine.service() as service:
        assert (await service.me(session=session)).status_code == 200
        assert await service.stop(signal.SIGINT) == 0

    assert machine.processes() == []


async def test_a_second_service_is_refused_and_a_migration_is_not(machine: Machine) -> None:
    async with machine.service() as service:
        same_port = await machine.outcome("run")
        same_state = await machine.outcome("run", PORT=str(free_port()))
        status, migrated = await machine.outcome("migrate")
        still_there = await service.browser.get("/api/health")
        await service.stop(signal.SIGINT)

    assert same_port[0] == same_state[0] == 1
    assert "Cannot listen on" in same_port[1]
    assert "The service is running already on the state in" in same_state[1]
    assert status == 0, migrated
    assert "The database is at revision" in migrated
    assert still_there.json()["data"]["status"] == "ok"
    assert machine.processes() == []


async def test_a_migration_starts_and_stops_the_database(machine: Machine) -> None:
    status, output = await machine.outcome("migrate")

    assert status == 0, output
    assert "The database is at revision" in output
    assert machine.processes() == []


async def test_a_separate_relay_stops_on_a_signal(machine: Machine) -> None:
    nowhere = {"RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": str(free_port())}
    assert (await machine.outcome("migrate"))[0] == 0

    async with machine.command("relay", **nowhere) as process, asyncio.timeout(STARTS_WITHIN):
        assert process.stdout is not None
        while b"relay started" not in await process.stdout.readline():
            assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        status = await process.wait()

    assert status == 0
    assert machine.processes() == []


async def test_an_interrupted_start_leaves_nothing_running(machine: Machine) -> None:
    async with machine.command("run") as process, asyncio.timeout(STARTS_WITHIN):
        assert process.stdout is not None
        assert b"Creating a database" in await process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        status = await process.wait()

    assert status == 130
    assert machine.processes() == []


async def test_the_demo_starts_a_service_and_saves_an_image(machine: Machine) -> None:
    status, output = await machine.outcome("demo")

    assert status == 0, output
    for line in ("training: completed", "painting: completed", "the feed shows it", "Mina: 100 tokens, 10 earned"):
        assert line in output
    (picture,) = (machine.data / "demo").glob("*.png")
    assert str(picture) in output
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert machine.processes() == []


async def test_the_admin_demo_runs_to_its_end(machine: Machine) -> None:
    status, output = await machine.outcome("demo admin")

    assert status == 0, output
    for line in (
        "GET /admin/: 200",
        "Report 1 is dismissed.",
        "Zoe is notified: report_resolved, dismissed",
        "Leo is notified: content_reviewed, dismissed",
        "Zoe: 150 tokens",
        "9000 KRW went back",
        "Leo is notified: purchase_refunded, 100 tokens, 9000 KRW",
        "Withdrawal 1 is settled.",
        "Mina: 100 tokens, 100 earned",
    ):
        assert line in output
    for action in ("admin.made", "report.dismissed", "bonus.granted", "purchase.refunded", "withdrawal.settled"):
        assert action in output
    assert "BROKEN" not in output
    assert machine.processes() == []


async def test_the_demo_keeps_the_settings_of_a_running_service(machine: Machine) -> None:
    async with machine.service():
        status, output = await machine.outcome("demo admin")

    assert status == 0, output
    assert "100 tokens can be withdrawn when PAYOUT_DELAY_DAYS have passed" in output
    assert "withdrawal.settled" not in output
