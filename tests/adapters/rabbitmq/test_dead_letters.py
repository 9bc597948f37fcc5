"""A task that consumers reject is dead-lettered by the operator's policy, and `redrive` returns it to its queue."""

import asyncio
import sys
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.rabbitmq.connection import DEAD_LETTER_QUEUE
from adapters.rabbitmq.dead_letters import RabbitMQDeadLetters
from core.audit.model import Operator
from core.dead_letters.redrive_tasks import Redriven, RedriveTasks
from core.generations.complete_generation import CompleteGeneration
from core.generations.model import Status
from core.generations.request_generation import NewGeneration, RequestGeneration
from tests.support.memory_world import MemoryWorld
from tests.support.rabbitmq import VirtualHost

ROOT = Path(__file__).parents[3]
RABBITMQCTL = """#!{python}
# What `rabbitmqctl set_policy` does, over HTTP: the broker may be another machine's.
import json, sys
from urllib.parse import quote
import httpx

command, _, vhost, _, apply_to, _, priority, name, pattern, definition = sys.argv[1:]
assert command == "set_policy"
policy = dict(pattern=pattern, definition=json.loads(definition), priority=int(priority))
policy["apply-to"] = apply_to
url = "{management}/api/policies/" + quote(vhost, safe="") + "/" + name
httpx.put(url, json=policy, auth={auth!r}, trust_env=False).raise_for_status()
"""
TIMEOUT = 20.0


async def apply_the_policy(host: VirtualHost, directory: Path) -> None:
    management = f"http://{host.host}:{host.management_port}"
    ctl = directory / "rabbitmqctl"
    ctl.write_text(RABBITMQCTL.format(python=sys.executable, management=management, auth=(host.user, host.password)))
    ctl.chmod(0o755)
    made = await asyncio.create_subprocess_exec(
        *("make", "-C", str(ROOT), "rabbitmq-policy", f"RABBITMQCTL={ctl}", f"RABBITMQ_VHOST={host.vhost}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await made.communicate()
    assert made.returncode == 0, said.decode()


async def next_of(queue: AbstractQueue) -> AbstractIncomingMessage:
    """As soon as there is one."""
    async with asyncio.timeout(TIMEOUT):
        while (message := await queue.get(fail=False)) is None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        return message


async def test_a_rejected_task_is_dead_lettered_and_redriven(broker: VirtualHost, tmp_path: Path) -> None:
    world = MemoryWorld()
    ann, style = await world.user("ann", tokens=100), await world.style(await world.artist())
    requested = await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, ["cat"]))
    address = broker.address
    rabbitmq = RabbitMQBroker(address)
    await apply_the_policy(broker, tmp_path)
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("image_generation", durable=True)
        dead = await channel.declare_queue(DEAD_LETTER_QUEUE, durable=True)
        tasks = await world.tasks()
        assert await rabbitmq.publish(tasks) == [task.task_id for task in tasks]

        await (await next_of(queue)).reject(requeue=False)
        await (await next_of(dead)).nack(requeue=True)

        redrive = world.use_case(RedriveTasks, dead_letters=RabbitMQDeadLetters(address), broker=rabbitmq)
        assert await redrive(Operator(None), limit=10) == Redriven(moved=1, obsolete=0, unconfirmed=0, foreign=0)

        again = await next_of(queue)
        assert again.body == tasks[0].body
        await world.use_case(CompleteGeneration)(
            requested.id, result_url=world.blobs.uri("generations/1.png"), metadata={}
        )
        await again.ack()
        assert await dead.get(fail=False) is None
    await rabbitmq.close()
    image = await world.read.generations.detail(requested.id, viewer=ann.id)
    assert Status(image.status) is Status.COMPLETED
