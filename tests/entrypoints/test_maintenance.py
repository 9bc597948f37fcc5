import asyncio
from datetime import timedelta

import pytest

from core.accounts.model import SESSION_LIFETIME, User
from core.generations.fail_generation import FailGeneration
from core.generations.model import Status
from core.notifications.mark_read import MarkRead
from core.notifications.model import KEPT_READ
from core.paging import PageRequest
from core.ports.database import DatabaseUnavailable
from core.ports.idempotency import Answer, Call, IdempotentCall
from core.ports.rate_limiter import Limit, RateLimiter
from core.purchases.request_refund import RequestRefund
from core.purchases.start_purchase import StartPurchase
from core.requester import Requester, Role
from core.takedowns.withdraw_style import NewTakedown, WithdrawStyle
from core.tasks.outcome import Failure
from entrypoints.maintenance import INTERVAL, SMALL, MaintenancePass, MaintenanceReport, run_maintenance
from tests.contracts.artwork_uploads import announce, created
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

NOTHING = {
    "generations_timed_out": 0,
    "generations_not_resumed": 0,
    "trainings_timed_out": 0,
    "styles_closed": 0,
    "takedowns_carried_out": 0,
    "purchases_looked_at": 0,
    "refunds_worked_on": 0,
    "sessions_dropped": 0,
    "notifications_dropped": 0,
    "rate_limits_dropped": 0,
    "answers_dropped": 0,
    "balances_rolled_up": 0,
    "uses_rolled_up": 0,
    "tags_rolled_up": 0,
    "uploads_dropped": 0,
    "objects_looked_at": 0,
    "accounts_erased": 0,
    "blobs_removed": 0,
    "artworks_checked": 0,
}


async def run_pass(service: Service) -> MaintenanceReport:
    async with service.container() as scope:
        return await (await scope.get(MaintenancePass))()


async def count_a_call(service: Service) -> None:
    async with service.container() as scope:
        limiter: RateLimiter = await scope.get(RateLimiter)
        await limiter.hit("user:1", Limit(3, timedelta(minutes=1)))


async def keep_an_answer(service: Service, user: User) -> None:
    async with service.container() as scope, await scope.get(IdempotentCall) as call:
        await call.begin(Call(user.id, "a key", b"a call", service.world.clock.now()))
        await call.finish(Answer(201, {}, b"{}"))


async def test_a_pass_without_work_succeeds(service: Service) -> None:
    assert await run_pass(service) == MaintenanceReport(NOTHING, [])


async def test_every_step_runs(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    await world.untrained_style(mia, "Slow")
    end = world.clock.now() + timedelta(hours=1)
    await world.generation(ann, style := await world.style(mia, valid_to=end))
    gone = await world.style(mia, "Gone")
    await world.use_case(WithdrawStyle)(
        Requester(mia.id, Role.ARTIST, is_artist=True), gone.id, NewTakedown("Mine."), at_once=False
    )
    attempted = await world.generation(ann, style)
    await world.use_case(FailGeneration)(attempted.id, Failure("INFERENCE_ERROR", "No."))
    await world.use_case(StartPurchase)(ann.id, "basic_100")
    await announce(world, mia, 1)
    await world.use_case(RequestRefund)(ann.id, (await world.buy(ann, 10)).order_id)
    await service.session_of(ann)
    await count_a_call(service)
    await keep_an_answer(service, ann)
    async with world.block() as scope:
        await scope.discarded.add("public/styles/1/old.png")
        await scope.users.save((await world.user("bob")).start_deletion(at=world.clock.now()))
    world.clock.advance(max(SESSION_LIFETIME, timedelta(hours=6)))

    whole = {"balances_rolled_up": 0, "uses_rolled_up": 0, "tags_rolled_up": 0}  # in memory
    nothing_yet = {"notifications_dropped": 0, "artworks_checked": 0} | whole
    assert await run_pass(service) == MaintenanceReport(dict.fromkeys(NOTHING, 1) | nothing_yet, [])

    await created(world, artist=await world.artist("zoe"))
    assert (await run_pass(service)).done["artworks_checked"] == 10

    [notification] = (await world.read.notifications.list(mia.id, unread_only=True, page=PageRequest()))[0].rows
    await world.use_case(MarkRead)(mia.id, notification.id)
    world.clock.advance(KEPT_READ)
    assert (await run_pass(service)).done["notifications_dropped"] == 1


async def test_time_outs_follow_the_settings(world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    await world.untrained_style(mia, "Slow")
    await world.generation(ann, await world.style(mia))
    service = Service(
        world, generation_timeout=timedelta(seconds=10), training_timeout=timedelta(seconds=20), frontend_url=None
    )

    world.clock.advance(timedelta(seconds=10))
    first = (await run_pass(service)).done
    await world.publish()
    world.clock.advance(timedelta(seconds=10))
    second = (await run_pass(service)).done

    assert [(done["generations_timed_out"], done["trainings_timed_out"]) for done in (first, second)] == [
        (1, 0),
        (1, 1),
    ]


async def test_the_grace_period_follows_the_settings(world: MemoryWorld) -> None:
    ann, style = await world.user("ann", tokens=100), await world.style(await world.artist("mia"))
    image = await world.generation(ann, style)
    service = Service(world, retry_grace=timedelta(seconds=10), frontend_url=None)
    await world.use_case(FailGeneration)(image.id, Failure("INFERENCE_ERROR", "No."))

    world.clock.advance(timedelta(seconds=10) - timedelta.resolution)
    first = (await run_pass(service)).done["generations_not_resumed"]
    world.clock.advance(timedelta.resolution)
    second = (await run_pass(service)).done["generations_not_resumed"]

    assert (first, second) == (0, 1)


async def test_a_pass_handles_more_than_one_batch(service: Service, world: MemoryWorld) -> None:
    ann, style = await world.user("ann", tokens=10_000), await world.style(await world.artist("mia"))
    images = [await world.generation(ann, style) for _ in range(2 * SMALL + 1)]
    world.clock.advance(timedelta(minutes=30))

    assert (await run_pass(service)).done["generations_timed_out"] == len(images)
    stored = world.database.tables.generations
    assert {stored[image.id].status for image in images} == {Status.RETRYING}


@pytest.mark.parametrize("error", [DatabaseUnavailable(), ConnectionError("gone")])
async def test_a_failed_step_stops_no_other(
    service: Service, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(_self: object, **_: object) -> int:
        raise error

    monkeypatch.setattr("adapters.memory.generations.MemoryGenerations.stalled", fail)
    await service.session_of(await world.user("ann"))
    world.clock.advance(SESSION_LIFETIME)

    assert await run_pass(service) == MaintenanceReport(NOTHING | {"sessions_dropped": 1}, ["generations_timed_out"])


async def test_background_passes_are_repeated(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    rounds: asyncio.Queue[float] = asyncio.Queue()
    resume = asyncio.Event()

    async def pause(seconds: float) -> None:
        rounds.put_nowait(seconds)
        await resume.wait()
        resume.clear()

    running = asyncio.create_task(run_maintenance(service.container, pause))
    async with asyncio.timeout(10):
        assert await rounds.get() == INTERVAL
        await service.session_of(ann)
        world.clock.advance(SESSION_LIFETIME)
        resume.set()
        await rounds.get()
    running.cancel()
    await asyncio.wait([running])

    assert world.database.tables.sessions == {}
