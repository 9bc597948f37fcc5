"""AI servers that repeat work, and send webhooks twice, late, out of order or never."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any

import aio_pika
import httpx
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError

from tests.end_to_end.service import TOKEN
from tests.faults.record import Completion, Record, Work
from tests.support.rabbitmq import VirtualHost

LOSS = 0.05
"""Share of the webhooks that are never sent."""
LATE = 0.02
"""Share of deliveries whose attempt may have timed out meanwhile."""
DEATH = 0.01
"""Share of the tasks whose consumer dies before it acknowledges them."""
UNLUCKY, HOPELESS = 0.06, 0.03
"""Shares of the tasks that fail: retryably, and for good."""
STUMBLES = 0.1
"""Share of the tasks that the server itself retries: generations, and trainings that are put back."""
SHUFFLED = 1.0
"""Seconds within which webhooks are delivered, in any order."""
CONSUMERS = {"image_generation": 4, "model_training": 1}
TIME_LIMIT = 4.0
GIVES_UP_AFTER = 10.0
"""Seconds that the real servers wait for an answer; they do not retry."""
TROUBLE = (AMQPError, ConnectionError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)


class Died(Exception):
    """A consumer crashed, with its connection."""


class AIServers:
    """They consume the queues and call the address in the task."""

    def __init__(self, host: VirtualHost, bucket: str, record: Record, seed: str, *, silence: float) -> None:
        self.loss = 0.0
        """The share of lost webhooks; none until it is set."""
        self.working = asyncio.Event()
        """Not set: tasks are left in the queues."""
        self.working.set()
        self._host = host
        self._bucket = bucket
        self._record = record
        self._random = Random(seed)
        self._silence = silence
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=GIVES_UP_AFTER, limits=httpx.Limits(max_connections=64)
        )
        self._deliveries: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._made = 0

    @property
    def idle(self) -> bool:
        return not self._deliveries and not self._busy

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for queue, number in CONSUMERS.items():
                    for _ in range(number):
                        group.create_task(self._consume(queue))
        finally:
            for delivery in self._deliveries:
                delivery.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)
            await self._client.aclose()

    async def waiting(self) -> int:
        """How many tasks are on the queues."""
        async with asyncio.timeout(TIME_LIMIT), await aio_pika.connect(self._host.url) as connection:
            channel = await connection.channel()
            queues = [await channel.declare_queue(queue, durable=True) for queue in CONSUMERS]
            return sum(queue.declaration_result.message_count or 0 for queue in queues)

    async def _consume(self, queue: str) -> None:
        """One message at a time, over a connection that is replaced when it breaks."""
        while True:
            with suppress(*TROUBLE, Died):
                async with asyncio.timeout(TIME_LIMIT):
                    connection = await aio_pika.connect(self._host.url, heartbeat=5)
                try:
                    async with asyncio.timeout(TIME_LIMIT):
                        channel = await connection.channel()
                        await channel.set_qos(prefetch_count=1)
                        declared = await channel.declare_queue(queue, durable=True)
                    async with declared.iterator() as messages:
                        async for message in messages:
                            await self._handle(message)
                finally:
                    with suppress(*TROUBLE):
                        async with asyncio.timeout(1):
                            await connection.close()
            await asyncio.sleep(0.2)

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        await self.working.wait()
        self._busy += 1
        try:
            task = json.loads(message.body)
            work = self._record.take(task, redelivered=bool(message.redelivered))
            await asyncio.sleep(self._random.uniform(0.01, 0.15))
            self._tell(work, task["webhook_url"].removesuffix("/complete"))
            if self._random.random() < DEATH:
                raise Died
            async with asyncio.timeout(TIME_LIMIT):
                await message.ack()
        finally:
            self._busy -= 1

    def _tell(self, work: Work, base: str) -> None:
        self._made += 1
        image = work.kind == "image_generation"
        about = {"generation_id" if image else "style_id": work.subject}
        for number in (1, 2):
            share = {"progress_percent": number * 40.0, "estimated_seconds": 1}
            step = {"current_step": number, "total_steps": 3} if image else {"current_epoch": number, "total_epochs": 3}
            self._send("PATCH", f"{base}/progress", work, about | {"progress": step | share})
        if self._random.random() < STUMBLES:
            code = "INFERENCE_ERROR" if image else "TRAINING_ERROR"
            self._send("POST", f"{base}/failed", work, about | {"error_code": code, "error_message": "once more\0"})
        fate = self._random.random()
        if fate < HOPELESS:
            code = "GENERATION_FAILED" if image else "TRAINING_FAILED"
            self._send("POST", f"{base}/failed", work, about | {"error_code": code, "error_message": "no use"})
        elif fate < HOPELESS + UNLUCKY and image:
            self._send("POST", f"{base}/failed", work, about | {"error_code": "GPU_OOM", "error_message": "too large"})
        elif image:
            key = f"generations/{work.subject}/{work.task_id}-{self._made}.png"
            self._record.results.add((work.subject, key))
            self._send("POST", f"{base}/complete", work, about | {"result_url": f"gs://{self._bucket}/{key}"}, key)
        else:
            path = f"models/{work.subject}-{self._made}.safetensors"
            self._send("POST", f"{base}/complete", work, about | {"model_path": path}, path)

    def _send(self, method: str, url: str, work: Work, body: Mapping[str, Any], result: str = "") -> None:
        """Twice, at random times."""
        self._record.counts["webhooks"] += 1
        if self._random.random() < self.loss:
            self._record.counts["webhooks dropped"] += 1
            return
        for _ in range(2):
            late = self._random.random() < LATE
            delay = self._random.uniform(0, self._silence * 1.5 if late else SHUFFLED)
            delivery = asyncio.create_task(self._deliver(method, url, work, body, result, delay))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(
        self, method: str, url: str, work: Work, body: Mapping[str, Any], result: str, delay: float
    ) -> None:
        await asyncio.sleep(delay)
        source = "inference-server" if work.kind == "image_generation" else "training-server"
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Source": source}
        counts = self._record.counts
        try:
            answer = await self._client.request(method, url, json=body, headers=headers)
        except httpx.TransportError:
            counts["deliveries cut off"] += 1
            return
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            counts["deliveries refused (503)"] += 1
            return
        if answer.status_code != httpx.codes.OK:
            self._record.wrong.append(f"{method} {url} for {work} was answered {answer.status_code}: {answer.text}")
            return
        applied = answer.json()["data"]["applied"]
        counts["deliveries applied" if applied else "deliveries without effect"] += 1
        if applied and result:
            self._record.completions.append(Completion(work.kind, work.subject, result))
