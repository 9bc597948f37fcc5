"""Runs the service on real dependencies under steady load, injects faults, and checks the outcome."""

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.end_to_end.service import TOKEN, Person, Service
from tests.faults import program, verdict
from tests.faults.ai_servers import LOSS, AIServers
from tests.faults.clients import Artist, Buyer
from tests.faults.dependencies import Dependencies, running_dependencies
from tests.faults.injector import FaultInjector
from tests.faults.load_balancer import LoadBalancer
from tests.faults.plan import Plan
from tests.faults.program import Program
from tests.faults.record import Record
from tests.simulation.audit import RULES
from tests.simulation.violation import Violation
from tests.support.ports import free_port

TICK = 1.0
"""Seconds between two calls of the scheduled job."""
TRAINING_PAUSE = 20.0
"""Seconds between two styles of an artist."""
ANSWERS_WITHIN = 20.0
"""Seconds after which a browser gives up."""
OPERATOR_TOKEN = "the-token-of-the-scheduled-job"
ENOUGH = "1000000/60"
LIMITED = ("SIGN_IN", "GENERATE", "PAYMENT", "PAYMENT_ORDER", "SIGNED_IN", "ANONYMOUS")
UNFINISHED = """
SELECT (SELECT count(*) FROM generations WHERE ended_at IS NULL) AS images,
       (SELECT count(*) FROM style_versions WHERE training_status NOT IN ('completed', 'failed')) AS trainings,
       (SELECT count(*) FROM outbox) AS tasks
"""
ENDS = "SELECT status, count(*) AS number, sum(attempt - 1)::int AS retries FROM generations GROUP BY status"
EVENTS = "SELECT event, count(*) AS number FROM watch.tasks GROUP BY event"
TIMED_OUT = "SELECT count(*) AS number FROM generations WHERE status = 'failed' AND failure_code = 'TIMEOUT'"

Say = Callable[[str], None]


async def perform(plan: Plan, say: Say = lambda _: None, *, logs: Path | None = None) -> Record:
    """Run the plan and check the outcome. Raises Violation for the first rule that does not hold.

    With `logs` the logs of the processes are kept there.
    """
    record = Record()
    async with running_dependencies() as dependencies:
        drill = Drill(plan, dependencies, record, say)
        try:
            async with drill.running():
                await drill.play()
        finally:
            if logs:
                await asyncio.to_thread(drill.keep_logs, logs)
        await drill.judge()
    return record


class Drill:
    def __init__(self, plan: Plan, dependencies: Dependencies, record: Record, say: Say) -> None:
        self._plan = plan
        self._dependencies = dependencies
        self._record = record
        self._say = say
        self._ports = [free_port(), free_port()]
        self._load_balancer = LoadBalancer(self._ports, Random(f"{plan.seed} load_balancer"))
        # One of the servers publishes its tasks itself too; the other leaves them to the relay.
        relays = ["on", "off"]
        self._servers = [
            self._program(f"server-{number}", "run", PORT=str(port), RELAY=relay)
            for number, (port, relay) in enumerate(zip(self._ports, relays, strict=True))
        ]
        self._relay = self._program("relay", "relay")
        self._ai = AIServers(
            dependencies.rabbitmq.broker,
            dependencies.bucket.name,
            record,
            f"{plan.seed} AI servers",
            silence=plan.silence,
        )
        self._service = Service(self._load_balancer.url, dependencies.provider)
        self._buyers: list[Buyer] = []
        self._artists: list[Artist] = []
        self._styles: list[int] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._load_balancer.running())
            first, *others = self._servers
            await stack.enter_async_context(first.running())  # it migrates the database
            await self._dependencies.postgres.execute(verdict.WATCH)
            for other in (*others, self._relay):
                await stack.enter_async_context(other.running())
            working = [asyncio.create_task(work) for work in (self._ai.run(), self._tick(), self._watch())]
            try:
                await self._invite(stack)
                yield
            finally:
                for task in working:
                    task.cancel()
                await asyncio.gather(*working, return_exceptions=True)

    async def play(self) -> None:
        if self._plan.probes:
            await self._probe()
        self._ai.loss = LOSS
        over = asyncio.Event()
        self._say("Faults under load ...")
        async with asyncio.TaskGroup() as living:
            for buyer in self._buyers:
                living.create_task(buyer.run(over, pause=self._plan.pause))
            for artist in self._artists if self._plan.trainings else []:
                living.create_task(artist.run(over, pause=TRAINING_PAUSE))
            injector = FaultInjector(self._plan, self._dependencies, self._servers, self._relay, self._ai, self._record)
            await injector.run()
            over.set()
        self._say("All is well again; what was begun has to end ...")
        await self._settle()
        await self._ask_for_balances()

    async def judge(self) -> None:
        fetch = self._dependencies.postgres.fetch
        counts = self._record.counts
        for row in await fetch(ENDS):
            counts[f"images {row['status']}"] = row["number"]
            counts["further attempts"] += row["retries"]
        for row in await fetch(EVENTS):
            counts[f"tasks {row['event']}, says the database"] = row["number"]
        counts["generations timed out"] = (await fetch(TIMED_OUT))[0]["number"]
        verdict.judge(self._record, await verdict.found(fetch))
        for rule, query in RULES.items():
            if offenders := await fetch(query):
                raise Violation(f"{rule}; but not here: {dict(offenders[0])} (and {len(offenders) - 1} more)")
        status, said = await program.outcome("reconcile", self._environment("books"))
        if status:
            raise Violation(f"reconcile ends with {status}:\n{said}")
        self._say(f"reconcile:\n{said.rstrip()}")

    def keep_logs(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for each in (*self._servers, self._relay):
            shutil.copy(each.log, directory)

    def _program(self, name: str, command: str, **environment: str) -> Program:
        return Program(name, command, self._environment(name) | environment, self._plan.variants, self._record)

    def _environment(self, name: str) -> dict[str, str]:
        limits = {f"RATE_LIMIT_{of}": ENOUGH for of in LIMITED}
        return {
            **self._dependencies.environment,
            "API_BASE_URL": self._load_balancer.url,
            "DATA_DIR": str(self._dependencies.directory / name),
            "SECRET_KEY": "the-same-for-both-servers-as-behind-any-balancer",
            "INTERNAL_API_TOKEN": TOKEN,
            "OPERATOR_TOKEN": OPERATOR_TOKEN,
            "AI_SERVERS": "none",
            "GENERATION_TIMEOUT": str(self._plan.silence),
            "RETRY_GRACE": str(self._plan.silence),
            "TRAINING_TIMEOUT": str(self._plan.silence),
            "STYLES_PER_ARTIST": "1000",
            "RATE_LIMITS": "on",
            **limits,
        }

    async def _invite(self, stack: AsyncExitStack) -> None:
        self._artists = [Artist(await self._person(stack, f"artist-{number}"), self._record) for number in range(2)]
        self._styles = [await artist.begin() for artist in self._artists]
        self._buyers = [await self._buyer(stack, f"buyer-{number}") for number in range(self._plan.buyers)]

    async def _buyer(self, stack: AsyncExitStack, name: str) -> Buyer:
        person = await self._person(stack, name)
        return Buyer(person, self._record, self._dependencies.sandbox, self._styles, f"{self._plan.seed} {name}")

    async def _person(self, stack: AsyncExitStack, name: str) -> Person:
        browser = httpx.AsyncClient(base_url=self._load_balancer.url, timeout=ANSWERS_WITHIN, trust_env=False)
        person = Person(self._service, await stack.enter_async_context(browser))
        await person.sign_in(f"{name}@example.com")
        return person

    async def _tick(self) -> None:
        """The scheduled job."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        async with httpx.AsyncClient(
            base_url=self._load_balancer.url, timeout=60, trust_env=False, headers=headers
        ) as client:
            while True:
                await asyncio.sleep(TICK)
                try:
                    answer = await client.post("/internal/tick")
                except httpx.TransportError:
                    continue
                if answer.is_success:
                    done = answer.json()["data"]["maintenance"]["done"]
                    self._record.counts["time-outs found by the scheduled job"] += done["generations_timed_out"]
                elif answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    self._record.wrong.append(f"a tick was answered {answer.status_code}: {answer.text}")

    async def _watch(self) -> None:
        """Poll the service's health."""
        async with self._service.browser() as client:
            while True:
                await asyncio.sleep(TICK)
                try:
                    answer = await client.get("/api/health")
                except httpx.TransportError:
                    continue
                if answer.is_success:
                    self._record.counts[f"health: {answer.json()['data']['status']}"] += 1
                elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    self._record.counts["health: unavailable"] += 1
                else:
                    self._record.wrong.append(f"health was answered {answer.status_code}: {answer.text}")

    async def _probe(self) -> None:
        """How long a request for an image takes while the broker is there, stopped, and frozen."""
        rabbitmq = self._dependencies.rabbitmq
        self._say(f"POST /api/generations, medians of {self._plan.probes}, nothing else going on:")
        await self._healthy("ok")
        await self._time("with the broker")
        await rabbitmq.stop()
        await self._healthy("degraded")
        await self._time("broker stopped")
        await rabbitmq.start()
        await self._healthy("ok")
        rabbitmq.freeze()
        await self._healthy("degraded")
        await self._time("broker frozen")
        rabbitmq.thaw()
        await self._healthy("ok")
        await self._time("and with the broker again")

    async def _time(self, circumstance: str) -> None:
        taken: list[float] = []
        for number in range(self._plan.probes):
            began = time.perf_counter()
            await self._buyers[number % len(self._buyers)].ask()
            taken.append(time.perf_counter() - began)
        self._say(f"  {circumstance}: {statistics.median(taken) * 1000:.1f} ms, at most {max(taken) * 1000:.1f} ms")

    async def _healthy(self, status: str) -> None:
        """Until the health endpoint reports it."""
        async with self._service.browser() as client, asyncio.timeout(self._plan.patience):
            while True:
                answer = await client.get("/api/health")
                if answer.is_success and answer.json()["data"]["status"] == status:
                    return
                await asyncio.sleep(0.1)

    async def _settle(self) -> None:
        """Until nothing is left to do."""
        try:
            async with asyncio.timeout(self._plan.patience):
                while await self._unfinished():  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(0.25)
        except TimeoutError:
            # What is unfinished breaks a rule, and that one names it.
            self._say(f"Not everything has ended within {self._plan.patience:.0f} s.")

    async def _unfinished(self) -> bool:
        (left,) = await self._dependencies.postgres.fetch(UNFINISHED)
        return any(left.values()) or not self._ai.idle or bool(await self._ai.waiting())

    async def _ask_for_balances(self) -> None:
        people: Sequence[Buyer | Artist] = [*self._buyers, *self._artists]
        for client in people:
            balance: Any = (await client.insist("GET", "/api/tokens/balance", 200)).json()["data"]
            self._record.balances[balance["user_id"]] = balance["token_balance"]
        for style_id in self._styles:
            style = (await people[0].insist("GET", f"/api/styles/{style_id}", 200)).json()["data"]
            self._record.uses[style_id] = style["usage_count"]
