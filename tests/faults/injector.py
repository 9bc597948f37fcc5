import asyncio
from collections.abc import Sequence
from random import Random

from tests.faults.ai_servers import AIServers
from tests.faults.dependencies import Dependencies
from tests.faults.plan import Plan
from tests.faults.program import Program
from tests.faults.record import Record

BOTH = 0.1
"""How often all servers die at once."""
UNPUBLISHED = "SELECT 1 FROM outbox WHERE due < now() - interval '1 second' LIMIT 1"
FULL_WITHIN = 60.0


class FaultInjector:
    """Faults at moments decided by a seed. Kills go on during all other faults."""

    def __init__(
        self,
        plan: Plan,
        dependencies: Dependencies,
        servers: Sequence[Program],
        relay: Program,
        ai: AIServers,
        record: Record,
    ) -> None:
        self._plan = plan
        self._dependencies = dependencies
        self._servers = servers
        self._relay = relay
        self._ai = ai
        self._counts = record.counts
        self._random = Random(f"{plan.seed} injector")

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_servers())
            group.create_task(self._kill_relay())
            group.create_task(self._stop_dependencies())

    async def _kill_servers(self) -> None:
        random = Random(f"{self._plan.seed} servers")
        for _ in range(self._plan.kills):
            chosen = random.choice(self._servers)
            await chosen.ready.wait()
            await asyncio.sleep(random.uniform(0, self._plan.calm))
            for server in self._servers if random.random() < BOTH else [chosen]:
                server.kill()
                self._counts["servers killed"] += 1

    async def _kill_relay(self) -> None:
        random = Random(f"{self._plan.seed} relay")
        for _ in range(self._plan.kills):
            await self._relay.ready.wait()
            await asyncio.sleep(random.uniform(0, self._plan.calm))
            self._relay.kill()
            self._counts["relays killed"] += 1

    async def _stop_dependencies(self) -> None:
        plan = self._plan
        faults = (
            [self._stop_broker] * plan.stops
            + [self._freeze_broker] * plan.freezes
            + [self._fill_queue] * plan.fills
            + [self._crash_database] * plan.restarts
        )
        self._random.shuffle(faults)
        for fault in faults:
            await asyncio.sleep(self._random.uniform(0, plan.calm))
            await fault()

    async def _stop_broker(self) -> None:
        await self._dependencies.rabbitmq.stop()
        await asyncio.sleep(self._random.uniform(0, self._plan.calm))
        await self._dependencies.rabbitmq.start()
        self._counts["broker stopped"] += 1

    async def _freeze_broker(self) -> None:
        self._dependencies.rabbitmq.freeze()
        try:
            await asyncio.sleep(self._plan.frozen)
        finally:
            self._dependencies.rabbitmq.thaw()
        self._counts["broker frozen"] += 1

    async def _fill_queue(self) -> None:
        """Until tasks are refused; then the paused consumers empty it."""
        self._ai.working.clear()
        try:
            await self._dependencies.rabbitmq.limit()
            async with asyncio.timeout(FULL_WITHIN):
                while not await self._dependencies.postgres.fetch(UNPUBLISHED):  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.2)
            await self._dependencies.rabbitmq.lift_limit()
        finally:
            self._ai.working.set()
        self._counts["queue full"] += 1

    async def _crash_database(self) -> None:
        await self._dependencies.postgres.crash()
        await asyncio.sleep(self._random.uniform(0, 2))
        await self._dependencies.postgres.start()
        self._counts["database crashed"] += 1
