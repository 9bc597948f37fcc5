"""The sandbox of the payment provider, on a port of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.development.payment_sandbox.app import WithSandboxPayments
from adapters.development.payment_sandbox.provider import SandboxPayments
from entrypoints import server
from entrypoints.settings import read_settings
from tests.support.ports import free_port

SECRET_KEY = "test_sk_of_the_sandbox"


@dataclass(frozen=True, slots=True)
class Sandbox:
    url: str
    """The base of its API."""

    async def choose(self, payment_url: str, choice: str) -> httpx.URL:
        """The buyer's browser on the payment page: `pay`, `refused` or `decline`. Where it is sent then."""
        async with httpx.AsyncClient(trust_env=False) as browser:
            page = await browser.get(payment_url)
            assert page.status_code == 200
            assert f'value="{choice}"' in page.text
            answer = await browser.post(payment_url, data={"choice": choice})
        assert answer.status_code == 303
        return httpx.URL(answer.headers["location"])

    async def take_back(self, payment_key: str, amount: int) -> None:
        """Money given back by hand in the console."""
        async with httpx.AsyncClient(trust_env=False) as browser:
            page = await browser.get(f"{self.url}/console")
            assert f'value="{payment_key}"' in page.text
            answer = await browser.post(f"{self.url}/console", data={"payment_key": payment_key, "amount": str(amount)})
        assert answer.status_code == 200


@asynccontextmanager
async def running_sandbox() -> AsyncIterator[Sandbox]:
    settings = read_settings({"PORT": str(free_port())})
    url = f"{settings.api_base_url}/sandbox/toss"
    app = WithSandboxPayments(_nothing_else, SandboxPayments(secret_key=SECRET_KEY, url=url), path="/sandbox/toss")
    stop, started = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(server.serve(app, settings, stop=stop, started=started.set, stopping=stop.set))
    await started.wait()
    try:
        yield Sandbox(url)
    finally:
        stop.set()
        await serving


async def _nothing_else(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
