from datetime import timedelta

from core.generations.cancel_generation import CancelGeneration
from core.generations.record_progress import RecordProgress
from core.generations.request_generation import NewGeneration, RequestGeneration
from core.tasks.views import Backlog
from tests.support.world import World


async def test_the_backlog_is_empty_at_first(world: World) -> None:
    assert await world.read.backlog.backlog(now=world.clock.now()) == Backlog(0, timedelta(), {}, {})


async def test_the_backlog_counts_unfinished_work_by_status(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=500)
    await world.untrained_style(mia, "Oil")
    style = await world.style(mia)
    await world.image(ann, style)
    await world.failed_generation(ann, style)
    request = NewGeneration(style.id, ["cat"])
    asked = []
    for _ in range(3):
        asked.append((await world.use_case(RequestGeneration)(ann.id, request)).id)
        world.clock.advance(timedelta(seconds=10))
    await world.use_case(RecordProgress)(
        asked[0], current_step=1, total_steps=30, progress_percent=3.3, estimated_seconds=9
    )
    await world.use_case(CancelGeneration)(ann.id, asked[1])

    backlog = await world.read.backlog.backlog(now=world.clock.now())

    expected = Backlog(3, timedelta(seconds=30), {"queued": 1, "processing": 1}, {"pending": 1})
    assert backlog == expected


async def test_tasks_that_are_not_due_are_not_counted(world: World) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=500)
    await world.use_case(RequestGeneration)(ann.id, NewGeneration((await world.style(mia)).id, ["cat"]))
    now = world.clock.now()

    assert (await world.read.backlog.backlog(now=now - timedelta(seconds=1))).outbox == 0
    assert (await world.read.backlog.backlog(now=now)).outbox == 1
    await world.publish()
    assert (await world.read.backlog.backlog(now=now)).outbox == 0
