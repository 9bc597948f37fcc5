"""The service as a process, and users over HTTP."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.support import openid, processes
from tests.support.ports import free_port

STARTS_WITHIN = 60.0
STOPS_WITHIN = 15.0
ENDS_WITHIN = 60.0
TOKEN = "the-token-that-the-ai-servers-and-the-tests-know"


@dataclass(frozen=True, slots=True)
class Service:
    url: str
    provider: openid.Provider | None = None
    """None: the service's own local provider."""

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)

    async def webhook(self, method: str, path: str, body: object, *, token: str = TOKEN) -> httpx.Response:
        source = "training-server" if path.startswith("training") else "inference-server"
        headers = {"Authorization": f"Bearer {token}", "X-Request-Source": source}
        async with self.browser() as client:
            return await client.request(method, f"/api/webhooks/{path}", json=body, headers=headers)


@asynccontextmanager
async def running_service(
    directory: Path, environment: Mapping[str, str], provider: openid.Provider | None = None
) -> AsyncIterator[Service]:
    """The service on the parts that the environment names, until the block ends; then nothing of it is left."""
    port = free_port()
    service = Service(f"http://127.0.0.1:{port}", provider)
    log = directory / "service.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrypoints.cli", "run"),
            env=processes.environment(
                "HOME",
                "LANG",
                **{"PORT": str(port), "DATA_DIR": str(directory / "data"), "INTERNAL_API_TOKEN": TOKEN, **environment},
            ),
            cwd=processes.NOWHERE,
            stdout=output,
            stderr=output,
        )
        try:
            await _first_answer(service, process, log)
            yield service
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            async with asyncio.timeout(STOPS_WITHIN):
                await process.wait()
    assert process.returncode == 0, log.read_text()


async def _first_answer(service: Service, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(STARTS_WITHIN), service.browser() as client:
        while process.returncode is None:
            try:
                if (await client.get("/api/health/ready")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # there is no event for a port that opens
    raise AssertionError(f"the service did not start:\n{log.read_text()}")  # noqa: ASYNC240


@dataclass(slots=True)
class Person:
    """A user with a browser."""

    service: Service
    browser: httpx.AsyncClient
    csrf: str = field(default="", init=False)

    async def sign_in(self, email: str) -> None:
        url = (await self.browser.get(f"/api/auth/google/login?login_hint={email}")).headers["Location"]
        if self.service.provider is not None:
            self.service.provider.add_user(email, email=email, email_verified=True)
            url = await self.service.provider.sign_in(url, email)
        while "sessionid" not in self.browser.cookies:
            answer = await self.browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(str(answer.url), answer.headers["Location"])
            assert "error=" not in url, url
        self.csrf = (await self.browser.get("/api/auth/me")).headers["X-CSRFToken"]

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await self.browser.request(method, path, headers={"X-CSRFToken": self.csrf}, **request)

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        """The data of an answer that has to be a success."""
        answer = await self.send(method, path, **request)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def get(self, path: str) -> Any:
        return await self.ask("GET", path)

    async def wait_for(self, path: str, field: str, *wanted: str) -> list[Any]:
        """Poll until the field has one of these values; everything that was seen on the way, the last one included."""
        seen: list[Any] = []
        async with asyncio.timeout(ENDS_WITHIN):
            while not seen or seen[-1][field] not in wanted:
                await asyncio.sleep(0.1 if seen else 0)  # as a frontend polls
                seen.append(await self.get(path))
        return seen


@asynccontextmanager
async def person(service: Service, email: str) -> AsyncIterator[Person]:
    async with service.browser() as browser:
        somebody = Person(service, browser)
        await somebody.sign_in(email)
        yield somebody
