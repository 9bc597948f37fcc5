"""What the tests of streams share."""

from typing import Any

from core.generations.model import Generation
from core.generations.record_progress import RecordProgress
from core.ports.changes import Topic
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld


def watched(world: MemoryWorld) -> set[Topic]:
    return set(world.database.changes.watched)


async def progress(world: MemoryWorld, image: Generation, step: int) -> None:
    await world.use_case(RecordProgress)(
        image.id, current_step=step, total_steps=50, progress_percent=step * 2.0, estimated_seconds=None
    )


async def polled(service: Service, session: str | None, path: str) -> Any:
    async with service.browser() as browser:
        if session:
            browser.client.cookies.set("sessionid", session)
        return (await browser.get(path)).json()["data"]
