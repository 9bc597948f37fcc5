"""The command as a process, on a real database and a real broker."""

import asyncio
from pathlib import Path

import aio_pika

from adapters.postgres.pool import create_pool
from core.generations.cancel_generation import CancelGeneration
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.paging import PageRequest
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.test_cli import cli
from tests.support.rabbitmq import VirtualHost, dead_letter


async def waiting(host: VirtualHost, name: str) -> list[tuple[str | None, bytes]]:
    """What waits in a queue: message ids and bodies."""
    async with await aio_pika.connect(host.url) as connection:
        queue = await (await connection.channel()).declare_queue(name, durable=True)
        messages = []
        while (message := await queue.get(fail=False)) is not None:
            messages.append((message.message_id, message.body))
        return messages


async def test_needed_dead_letters_are_redriven(database_url: str, broker: VirtualHost, tmp_path: Path) -> None:
    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        ann, style = await world.user("ann", tokens=100), await world.style(await world.artist("mia"))
        images = [
            (await world.use_case(RequestGeneration)(ann.id, NewGeneration(style.id, [tag]))).id
            for tag in ("cat", "dog", "owl")
        ]
        tasks = await world.tasks()
        await world.use_case(CancelGeneration)(ann.id, images[1])
    await dead_letter(broker, [tasks[0].body, tasks[1].body, b"something else", tasks[2].body])
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), **broker.environment}

    done = await asyncio.to_thread(cli, "tasks redrive --limit 3", **given)

    assert done.returncode == 0, done.stderr
    counts = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert counts == [
        "1 moved to their queues",
        "1 removed: their generation or training no longer needs them",
        "1 left: not tasks of this service",
    ]
    assert await waiting(broker, "image_generation") == [(tasks[0].task_id, tasks[0].body)]
    assert [body for _, body in await waiting(broker, "dead")] == [b"something else", tasks[2].body]
    async with create_pool(database_url) as pool:
        [line] = (await PostgresWorld(pool).read.audit.list(page=PageRequest())).rows
    assert (line.action, line.source) == ("tasks.redriven", "command")
    assert line.after == {"moved": 1, "obsolete": 1, "unconfirmed": 0, "foreign": 1}


async def test_an_undeclared_queue_is_reported(database_url: str, broker: VirtualHost, tmp_path: Path) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), **broker.environment}

    done = await asyncio.to_thread(cli, "tasks redrive", **given)

    assert done.returncode == 1
    assert "The dead letters are unavailable: the queue `dead` is not declared" in done.stderr
    assert "Traceback" not in done.stderr
