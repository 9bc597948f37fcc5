from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from adapters.memory.backlog import MemoryBacklogReader
from adapters.postgres.pool import create_pool
from core.ports.database import DatabaseUnavailable, DatabaseUsage
from core.tasks.views import Backlog
from core.tokens.model import wallet
from core.tokens.reconcile import Reconcile
from entrypoints.http.request_counts import RequestCounts
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.postgres_service import PostgresService
from tests.entrypoints.service import OPERATOR_TOKEN, TOKEN, Browser, Service
from tests.entrypoints.stream_client import streaming
from tests.support.memory_world import MemoryWorld

Values = dict[str, float]


async def scrape(browser: Browser) -> Values:
    """Each sample as Prometheus writes it, with its value."""
    response = await browser.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_status(anonymous: Browser) -> None:
    before = await scrape(anonymous)
    for number in (1, 2, 3):
        await anonymous.get(f"/api/styles/{number}")
    await anonymous.get("/api/nowhere/at/all")
    after = await scrape(anonymous)

    def more(sample: str) -> float:
        return after[sample] - before.get(sample, 0)

    assert more("http_requests_total method=GET route=/api/styles/{style_id} status=404") == 3
    assert more("http_request_duration_seconds_count method=GET route=/api/styles/{style_id}") == 3
    assert more("http_request_database_seconds_count method=GET route=/api/styles/{style_id}") == 3
    assert more("http_requests_total method=GET route=unmatched status=404") == 1
    assert after["process_resident_memory_bytes"] > 1_000_000
    assert after["process_cpu_seconds_total"] > 0


def test_a_duration_is_counted_from_the_first_bound_that_it_does_not_exceed() -> None:
    registry, counts = CollectorRegistry(), RequestCounts()
    registry.register(counts)
    for seconds in (0.001, 0.0011, 99):
        counts.add("GET", "/", 200, seconds, DatabaseUsage(seconds=seconds / 2, statements=3))

    def sample(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"method": "GET", "route": "/", **labels})

    bounds = ("0.001", "0.0025", "10.0", "+Inf")
    assert [sample("http_request_duration_seconds_bucket", le=bound) for bound in bounds] == [1, 2, 2, 3]
    assert [sample("http_request_database_seconds_bucket", le=bound) for bound in bounds] == [2, 2, 2, 3]
    assert sample("http_request_duration_seconds_sum") == pytest.approx(99.0021)
    assert sample("http_request_database_statements_total") == 9


async def test_streams_are_counted_from_start_to_end(world: MemoryWorld, service: Service, anonymous: Browser) -> None:
    session = await service.session_of(await world.user())
    before = await scrape(anonymous)
    of_it = "method=GET route=/api/notifications/events"
    counted = f"http_request_duration_seconds_count {of_it}", f"http_requests_total {of_it} status=200"
    async with streaming(service.app, "/api/notifications/events", session=session) as stream:
        await stream.event_or_comment()
        during = await scrape(anonymous)
        assert [during[sample] - before.get(sample, 0) for sample in counted] == [1, 1]
        assert during["event_streams_open"] == 1
    after = await scrape(anonymous)
    assert [after[sample] - during[sample] for sample in counted] == [0, 0]
    assert after["event_streams_open"] == 0


async def test_statements_and_database_time_are_counted_by_route(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(create_pool(database_url, max_size=2))
        service = PostgresService(PostgresWorld(pool), database_url)
        stack.push_async_callback(service.container.close)
        client = await stack.enter_async_context(service.browser())
        before = await scrape(client)
        for _ in range(2):
            assert (await client.get("/api/generations/feed")).status_code == 200
        after = await scrape(client)

    statements, seconds = (
        f"http_request_database_{what} method=GET route=/api/generations/feed"
        for what in ("statements_total", "seconds_sum")
    )
    assert after[statements] - before.get(statements, 0) == 2
    assert after[seconds] > before.get(seconds, 0)


async def test_the_backlog_is_reported(world: MemoryWorld, anonymous: Browser) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    await world.generation(ann, await world.style(mia))
    await world.untrained_style(mia, "Oil")

    metrics = await scrape(anonymous)

    assert metrics["generations_waiting status=queued"] == 1
    assert metrics["generations_waiting status=processing"] == 0
    assert metrics["generations_waiting status=retrying"] == 0
    assert metrics["trainings_waiting status=pending"] == 1
    assert metrics["trainings_waiting status=training"] == 0
    assert (metrics["outbox_tasks"], metrics["outbox_oldest_seconds"], metrics["database_up"]) == (0, 0, 1)


async def test_the_age_of_an_unpublished_task_grows(world: MemoryWorld, service: Service, anonymous: Browser) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    style = await world.style(mia)
    async with service.browser(ann) as browser:
        for _ in range(2):
            await browser.post("/api/generations", json={"style_id": style.id, "prompt_tags": ["cat"]})
            world.clock.advance(timedelta(seconds=30))

    metrics = await scrape(anonymous)

    assert (metrics["outbox_tasks"], metrics["outbox_oldest_seconds"]) == (2, 60)


async def test_the_last_reconciliation_is_reported(world: MemoryWorld, anonymous: Browser) -> None:
    assert (await scrape(anonymous))["ledger_reconciled_timestamp_seconds"] == 0
    ann = await world.user("ann", tokens=5)
    await world.use_case(Reconcile)()
    metrics = await scrape(anonymous)
    assert metrics["ledger_reconciled_timestamp_seconds"] == world.clock.now().timestamp()
    assert metrics["ledger_broken_rows invariant=balances"] == 0

    funds = world.database.tables.funds
    funds[wallet(ann.id)] = type(funds[wallet(ann.id)])(balance=6)
    await world.use_case(Reconcile)()

    assert (await scrape(anonymous))["ledger_broken_rows invariant=balances"] == 1


async def test_without_the_database_the_other_metrics_are_reported(
    anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> Backlog:
        raise DatabaseUnavailable

    monkeypatch.setattr(MemoryBacklogReader, "backlog", away)

    metrics = await scrape(anonymous)

    assert metrics["database_up"] == 0
    assert metrics["process_resident_memory_bytes"] > 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {OPERATOR_TOKEN}"}, 200),
    ],
)
async def test_metrics_require_the_operator_token_in_production(
    world: MemoryWorld, headers: dict[str, str], status: int
) -> None:
    service = Service(world, app_env="production")
    async with service.browser() as browser:
        assert (await browser.get("/metrics", headers=headers)).status_code == status
    await service.container.close()


async def test_an_unknown_method_is_not_a_label(anonymous: Browser) -> None:
    await anonymous.call("BREW", "/api/health/live")
    after = await scrape(anonymous)

    assert after["http_requests_total method=OTHER route=unmatched status=405"] >= 1
    assert not any("BREW" in sample for sample in after)
