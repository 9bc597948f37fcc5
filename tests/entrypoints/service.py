"""The service over memory adapters, and browsers that call it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import msgspec
from dishka import AsyncContainer, Provider, Scope, make_async_container
from litestar import Litestar

from adapters.filesystem.blobs import FilesystemBlobStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.tasks import MemoryOutbox
from core.accounts.model import Session, User
from core.accounts.sign_in import token_hash
from core.identifiers import TaskId
from core.live_events import StreamTiming
from core.ports.blob_store import BlobStore
from core.ports.broker import Broker
from core.ports.identity_provider import Identity, IdentityProvider, SignInFailed
from core.ports.media_files import MediaFiles
from core.secret import Secret
from core.tasks.model import PendingTask
from entrypoints.container.memory import memory
from entrypoints.container.use_cases import use_cases
from entrypoints.http.app import create_app
from entrypoints.http.open_streams import OpenStreams
from entrypoints.http.state import attach, state_of
from entrypoints.settings import Settings, read_settings
from tests.entrypoints.contract import Contract
from tests.support.memory_world import MemoryWorld
from tests.support.wiring import FROM_WORLD

API = "https://api.example.com"
FRONTEND = "https://example.com"
TOKEN = "the-token-of-the-ai-servers"
PREVIOUS_TOKEN = "the-token-before-that"
OPERATOR_TOKEN = "the-token-of-the-operator"
PREVIOUS_OPERATOR_TOKEN = "the-token-of-the-operator-before-that"
UNHURRIED = StreamTiming(timedelta(hours=1))
"""No stream looks by itself while a test runs."""


def settings(**changes: Any) -> Settings:
    chosen = msgspec.structs.replace(
        read_settings({"PAYOUT_DELAY_DAYS": "0", "WITHDRAWAL_MIN": "1"}),
        api_base_url=API,
        frontend_url=FRONTEND,
        cors_allowed_origins=[FRONTEND],
        secret_key=Secret("a-secret-of-the-service-for-tests"),
        training_tokens=[Secret(TOKEN), Secret(PREVIOUS_TOKEN)],
        inference_tokens=[Secret(TOKEN), Secret(PREVIOUS_TOKEN)],
        operator_tokens=[Secret(OPERATOR_TOKEN), Secret(PREVIOUS_OPERATOR_TOKEN)],
    )
    return msgspec.structs.replace(chosen, **changes)


class PreparedIdentityProvider(IdentityProvider):
    """Returns the identity that the test has set for a code."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        """The last authorization request."""
        self.redeemed: dict[str, str] = {}
        """What the last code was redeemed with."""
        self.identities: dict[str, Identity] = {}
        """By code."""
        self.refusal: str | None = None

    async def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str, login_hint: str | None = None
    ) -> str:
        if self.refusal:
            raise SignInFailed(self.refusal)
        self.asked = {
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_verifier": code_verifier,
            "login_hint": login_hint,
        }
        return f"https://accounts.example/authorize?state={state}"

    async def identify(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Identity:
        if self.refusal:
            raise SignInFailed(self.refusal)
        self.redeemed = {"redirect_uri": redirect_uri, "nonce": nonce, "code_verifier": code_verifier}
        if code not in self.identities:
            raise SignInFailed("invalid_code")
        return self.identities[code]


class SwitchableBroker(Broker):
    def __init__(self) -> None:
        self.up = True

    async def publish(self, tasks: list[PendingTask]) -> list[TaskId]:
        return [task.task_id for task in tasks] if self.up else []

    async def reachable(self) -> bool:
        return self.up


class Browser:
    """A client that keeps cookies and sends the CSRF token as the frontend does."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf: str | None = None

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str | bytes] | None = None, **options: Any
    ) -> httpx.Response:
        sent = httpx.Headers({"X-CSRFToken": self.csrf} if self.csrf else {})
        sent.update(httpx.Headers(headers))  # type: ignore[arg-type]
        return await self.client.request(method, path, headers=sent, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("POST", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("DELETE", path, **options)

    @property
    def session(self) -> str | None:
        return self.client.cookies.get("sessionid")


class Service:
    """One app over one world."""

    def __init__(
        self,
        world: MemoryWorld,
        *,
        media: FilesystemBlobStore | None = None,
        pace: StreamTiming = UNHURRIED,
        **changes: Any,
    ) -> None:
        self.world = world
        self.settings = settings(gcs_bucket_name=None if media else "a-bucket", **changes)
        self.identity_provider = PreparedIdentityProvider()
        self.broker = SwitchableBroker()
        given = world.given | {
            Settings: self.settings,
            BlobStore: media or world.blobs,
            MediaFiles: media,
            IdentityProvider: self.identity_provider,
            Broker: self.broker,
            MemoryDatabase: world.database,
            MemoryOutbox: world.outbox,
            StreamTiming: pace,
        }
        self.container = _parts()(given, scope=Scope.APP)
        self.app, self.contract = _app(self.container, self.settings)
        self.streams = OpenStreams()
        attach(self.app, replace(state_of(self.app), streams=self.streams))

    @asynccontextmanager
    async def browser(self, user: User | None = None, *, address: str = "127.0.0.1") -> AsyncIterator[Browser]:
        """A browser; signed in when a user is given."""
        transport = asgi(self.app, address)
        async with httpx.AsyncClient(
            transport=transport, base_url=API, event_hooks={"response": [self.contract.check]}
        ) as client:
            browser = Browser(client)
            if user:
                client.cookies.set("sessionid", await self.session_of(user), domain="api.example.com", path="/")
                browser.csrf = (await browser.get("/api/auth/me")).headers["x-csrftoken"]
            yield browser

    async def session_of(self, user: User) -> str:
        token = self.world.secrets.token()
        now = self.world.clock.now()
        scope = self.world.scope()
        async with scope.transaction:
            await scope.sessions.add(
                Session.start(await self.world.ids.session(), token_hash(token), user.id, at=now, user_agent="a test")
            )
        return token

    def ai_server(self, source: str, token: str = TOKEN) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", "X-Request-Source": source}


def asgi(app: Litestar, address: str = "127.0.0.1") -> httpx.ASGITransport:
    """The way to the app for a client at this address."""
    return httpx.ASGITransport(app, client=(address, 50000))  # type: ignore[arg-type]


@cache
def _parts() -> AsyncContainer:
    """The parts of all services: put together once, which takes longer than most tests. Each has its own scope."""
    given = Provider(scope=Scope.APP)
    for part in (*FROM_WORLD, MediaFiles, IdentityProvider, MemoryDatabase, MemoryOutbox, StreamTiming):
        given.from_context(part, override=part in (Settings, MemoryDatabase, MemoryOutbox, StreamTiming))
    return make_async_container(use_cases(), memory(), given, start_scope=Scope.RUNTIME)


_APPS: dict[str, tuple[Litestar, Contract]] = {}


def _app(container: AsyncContainer, chosen: Settings) -> tuple[Litestar, Contract]:
    """The app for these settings, made once: it takes longer than most tests. Each service has its own container."""
    if repr(chosen) not in _APPS:
        app = create_app(container, chosen)
        _APPS[repr(chosen)] = app, Contract(app)
    app, contract = _APPS[repr(chosen)]
    attach(app, replace(state_of(app), container=container))
    return app, contract
