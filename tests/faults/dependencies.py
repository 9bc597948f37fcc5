"""The dependencies of the service, each a process or server that can be stopped."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx

from adapters.development.embedded_postgres import EmbeddedPostgres
from tests.support import gcs, openid, rabbitmq, sandbox, shared

QUEUE = "^image_generation$"
REFUSES: dict[str, object] = {"overflow": "reject-publish"}
"""What a full queue does. If set together with the limit, the queue first drops what exceeds it."""
FULL: dict[str, object] = {"max-length": 3}


class Postgres:
    """A database server of its own, with durable writes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = EmbeddedPostgres(directory)
        self.url = ""

    async def start(self) -> None:
        self.url = await asyncio.to_thread(self._server.start)

    async def crash(self) -> None:
        """An immediate shutdown: the next start recovers from the write-ahead log."""
        pid = int((self._directory / "postmaster.pid").read_text().split()[0])
        await asyncio.to_thread(shared.stop_process, pid, signal.SIGQUIT)

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def fetch(self, query: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            rows: list[Any] = await connection.fetch(query)
        finally:
            await connection.close()
        return rows

    async def execute(self, script: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(script)
        finally:
            await connection.close()


class RabbitMQ:
    def __init__(self, node: rabbitmq.Node) -> None:
        self._node = node
        self.broker = node.broker

    async def stop(self) -> None:
        await asyncio.to_thread(self._node.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self._node.start)

    def freeze(self) -> None:
        self._node.freeze()

    def thaw(self) -> None:
        self._node.thaw()

    async def prepare(self) -> None:
        """Set the policy of the queues before the first task."""
        await self._have(REFUSES)

    async def limit(self) -> None:
        """Limit the length of the image queue from now on; present messages stay."""
        await self._have(REFUSES | FULL)

    async def lift_limit(self) -> None:
        await self._have(REFUSES)

    async def _have(self, definition: dict[str, object]) -> None:
        broker = self.broker
        url = f"http://{broker.host}:{broker.management_port}/api/policies/{quote(broker.vhost, safe='')}/full"
        auth = (broker.user, broker.password)
        async with httpx.AsyncClient(auth=auth, timeout=30, trust_env=False) as api:
            policy = {"pattern": QUEUE, "apply-to": "queues", "definition": definition}
            (await api.put(url, json=policy)).raise_for_status()


@dataclass(frozen=True, slots=True)
class Dependencies:
    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ
    bucket: gcs.Bucket
    provider: openid.Provider
    sandbox: sandbox.Sandbox

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url,
            **self.rabbitmq.broker.environment,
            **self.bucket.environment,
            **self.provider.environment,
            "OPENID_DISCOVERY_URL": self.provider.discovery_url,
            "TOSS_SECRET_KEY": sandbox.SECRET_KEY,
            "TOSS_API_BASE": self.sandbox.url,
        }


@asynccontextmanager
async def running_dependencies() -> AsyncIterator[Dependencies]:
    directory = Path(tempfile.mkdtemp(prefix="faults-", dir=shared.run_directory()))
    async with AsyncExitStack() as stack:
        postgres = Postgres(directory / "postgres")
        starting = asyncio.create_task(postgres.start())
        stack.push_async_callback(postgres.stop)
        node = await asyncio.to_thread(stack.enter_context, rabbitmq.private_node())
        await starting
        emulator = stack.enter_context(gcs.running_emulator(directory))
        provider = stack.enter_context(openid.running_provider())
        payments = await stack.enter_async_context(sandbox.running_sandbox())
        broker = RabbitMQ(node)
        await broker.prepare()
        yield Dependencies(directory, postgres, broker, gcs.new_bucket(emulator), provider, payments)
