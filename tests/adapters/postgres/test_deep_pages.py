"""Page 1,000 costs what page 1 costs: whoever has paged down 20,000 rows reads no more for the next page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.pool import create_pool
from core.generations.views import FeedQuery, FeedSort, StatusFilter
from core.identifiers import GenerationId, UserId
from core.paging import Keyset, Page, PageRequest
from core.tokens.views import TransactionFilter
from tests.adapters.postgres.plans import plans
from tests.contracts.postgres_world import PostgresWorld
from tests.support import postgres

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 21_000
DEEP = 20_000
ANN, MIA = UserId(1), UserId(2)

FILL = f"""
SET session_replication_role = 'replica';

INSERT INTO users (id, provider, subject, username, role, bio, created_at, updated_at)
SELECT n, 'test', n, 'user-' || n, 'user', '', '{BEGAN}', '{BEGAN}' FROM generate_series(1, 2) n;
INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
VALUES ({MIA}, 'Mia', 'mia@example.com', 'signatures/2', '{BEGAN}');
INSERT INTO accounts (id, kind, owner_id, balance)
VALUES (101, 'wallet', {ANN}, 0), (102, 'earnings', {MIA}, 0);
INSERT INTO styles (
    id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, task_id, training_status,
    is_active, show_samples, model_path, created_at, updated_at
)
VALUES (1, {MIA}, 'Ink', 'ink', '', 30, 'personal', '{{}}', gen_random_uuid(), 'completed', true, true, 'gs://models/1',
    '{BEGAN}', '{BEGAN}');
INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, public_key, metadata, like_count, created_at, updated_at, ended_at
)
SELECT n, {ANN}, 1, {MIA}, 30, n, '1:1', '{{woman}}', gen_random_uuid(), 'completed', 1, 'generations/' || n,
    'public/' || n, '{{}}', n % 7, '{BEGAN}'::timestamptz + n / 3 * interval '1 minute', '{BEGAN}', '{BEGAN}'
FROM generate_series(1, {MANY}) n;
INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, hold_id, created_at)
SELECT CASE phase WHEN 'hold' THEN id ELSE {MANY} + id END, phase, 'generation:' || id, 'generation', 101, 102, 30, id,
    CASE phase WHEN 'post' THEN id END, created_at
FROM generations, unnest(ARRAY['hold', 'post']) phase;
INSERT INTO comments (id, generation_id, author_id, content, created_at, updated_at)
SELECT n, 1, {ANN}, 'Nice', '{BEGAN}'::timestamptz + n / 3 * interval '1 minute', '{BEGAN}'
FROM generate_series(1, {MANY}) n;
INSERT INTO notifications (id, recipient_id, type, reason, target_type, target_id, metadata, created_at)
SELECT n, {ANN}, 'generation_complete', 'generation:' || n, 'generation', n, '{{}}',
    '{BEGAN}'::timestamptz + n / 3 * interval '1 minute'
FROM generate_series(1, {MANY}) n;

RESET session_replication_role;
"""

Look = Callable[[PostgresWorld, PageRequest], Awaitable[Page[Any]]]


async def _notifications(world: PostgresWorld, page: PageRequest) -> Page[Any]:
    return (await world.read.notifications.list(ANN, unread_only=False, page=page))[0]


LISTS: dict[str, Look] = {
    "feed": lambda world, page: world.read.generations.feed(FeedQuery(), viewer=ANN, page=page),
    "popular feed": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR), viewer=ANN, page=page
    ),
    "feed by a tag": lambda world, page: world.read.generations.feed(FeedQuery(tags=["woman"]), viewer=None, page=page),
    "comments": lambda world, page: world.read.community.comments(GenerationId(1), viewer=ANN, page=page),
    "transactions": lambda world, page: world.read.tokens.transactions(ANN, type=TransactionFilter.ALL, page=page),
    "own images": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.ALL, is_public=None, page=page
    ),
    "notifications": _notifications,
}


@pytest.fixture(scope="module")
async def long_lists(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    name = f"test_deep_{uuid4().hex[:8]}"
    url = await postgres_server.create(name, _template)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    yield url
    await postgres_server.drop(name)


@pytest.mark.parametrize("look", LISTS.values(), ids=LISTS)
async def test_a_page_far_down_costs_what_the_first_one_does(long_lists: str, look: Look) -> None:
    shown, end = await walk_down(long_lists, look)
    assert len(set(shown)) == DEEP

    first = await plans(long_lists, lambda world: look(world, PageRequest()))
    deep = await plans(long_lists, lambda world: look(world, PageRequest(after=end)))

    for plan, plan_deep in zip(first, deep, strict=True):
        assert plan_deep.most_rows() <= plan.most_rows() + 1
        # What belongs to a row is joined in one way or in another, which differs by a few pages for each.
        assert plan_deep.blocks <= plan.blocks + 5 * PageRequest().limit


async def walk_down(url: str, look: Look) -> tuple[list[int], Keyset | None]:
    """The ids of the first DEEP rows, and where they end."""
    ids: list[int] = []
    page = PageRequest(limit=100)
    async with create_pool(url, max_size=2) as pool:
        world = PostgresWorld(pool)
        while len(ids) < DEEP:
            rows = await look(world, page)
            ids += [row.id for row in rows.rows]
            assert rows.next is not None
            page = PageRequest(page.limit, rows.next)
    return ids, page.after
