"""What is looked up all the time is found by indexes, and a page deep down costs what the first one does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.paging import WINDOW
from core.generations.views import FeedQuery, FeedSort, StatusFilter
from core.identifiers import CommentId, GenerationId, StyleId, UserId
from core.paging import Keyset, PageRequest
from core.requester import Requester, Role
from core.styles.views import StyleQuery, StyleSort
from core.tokens.views import EarningsGroup, TransactionFilter
from core.withdrawals.model import WithdrawalStatus
from tests.adapters.postgres.plans import Plan, nodes, plans
from tests.contracts.postgres_world import PostgresWorld
from tests.support import postgres

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = BEGAN.date() + timedelta(days=7)
MANY = 30_000
PROLIFIC = UserId(5000)
"""Who made a tenth of all."""

FILL = f"""
SET session_replication_role = 'replica';

INSERT INTO users (id, provider, subject, username, role, bio, follower_count, created_at, updated_at)
SELECT n, 'test', n, 'user-' || n, 'user', '', n % 50, '{BEGAN}', '{BEGAN}' FROM generate_series(1, 20000) n;

INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
SELECT n, 'Artist ' || n, 'artist@example.com', 'signatures/' || n, '{BEGAN}' FROM generate_series(1, 20000) n;

INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at)
SELECT sha256(n::text::bytea), n, '{BEGAN}', '{BEGAN}', '{BEGAN}'::timestamptz + interval '14 days'
FROM generate_series(1, 5000) n;

INSERT INTO follows (follower_id, followed_id, created_at)
SELECT 1001 + n % 4000, 1 + (n * 7) % 1000, '{BEGAN}' FROM generate_series(1, 10000) n ON CONFLICT DO NOTHING;

INSERT INTO accounts (kind, owner_id, balance)
SELECT 'wallet', n, 1000000 FROM generate_series(1, 5000) n
UNION ALL SELECT 'earnings', n, 0 FROM generate_series(1, 1000) n;

INSERT INTO styles (
    id, artist_id, name, name_key, description, generation_cost_tokens, license_type, tags, task_id, training_status,
    is_active, show_samples, model_path, artist_followers, created_at, updated_at
)
SELECT n, 1 + n % 1000, 'Style ' || n, 'style ' || n, '', 30, 'personal',
    ARRAY['tag ' || n % 20, 'rare ' || n % 900], gen_random_uuid(), 'completed', true, true, 'gs://models/' || n,
    (1 + n % 1000) % 50, '{BEGAN}'::timestamptz + n * interval '1 minute', '{BEGAN}'
FROM generate_series(1, 5000) n;

INSERT INTO artworks (id, style_id, index, key, format, width, height, size, tags)
SELECT n, 1 + n / 10, n % 10, 'training/' || n, 'png', 512, 512, 1000, '{{}}' FROM generate_series(0, 29999) n;

INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, public_key, metadata, like_count, created_at, updated_at, ended_at
)
SELECT n, 1 + n % 3000, style, 1 + style % 1000, 30, n, '1:1', ARRAY['tag ' || n % 20, 'rare ' || n % 5000],
    gen_random_uuid(), status, 1, CASE status WHEN 'completed' THEN 'generations/' || n END,
    CASE WHEN status = 'completed' AND n % 2 = 0 THEN 'public/' || n END, '{{}}', n % 31,
    '{BEGAN}'::timestamptz + n * interval '1 minute', '{BEGAN}',
    CASE status WHEN 'completed' THEN '{BEGAN}'::timestamptz + (n + 1) * interval '1 minute' END
FROM generate_series(1, {MANY}) n,
    LATERAL (SELECT 1 + (n * 13) % 3000 AS style, CASE WHEN n % 50 = 1 THEN 'queued' ELSE 'completed' END AS status) x;

INSERT INTO likes (user_id, generation_id, created_at)
SELECT 1 + n % 5000, 1 + (n * 7) % {MANY}, '{BEGAN}' FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING;

INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at)
SELECT n, 'hold', 'generation:' || n, 'generation', payer.id, payee.id, 30, n, generations.created_at
FROM generate_series(1, {MANY}) n JOIN generations ON generations.id = n
JOIN accounts payer ON payer.kind = 'wallet' AND payer.owner_id = generations.owner_id
JOIN accounts payee ON payee.kind = 'earnings' AND payee.owner_id = generations.artist_id;

INSERT INTO transfers
    (id, phase, reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, created_at)
SELECT {MANY} + id, 'post', reference, kind, debit_account_id, credit_account_id, amount, id, generation_id, created_at
FROM transfers;

INSERT INTO balance_deltas (account_id, transfer_id, amount)
SELECT credit_account_id, id, amount FROM transfers WHERE phase = 'post' AND id % 5 = 0;

INSERT INTO style_uses (style_id, generation_id, tokens)
SELECT style_id, id, 30 FROM generations WHERE id % 5 = 0;

INSERT INTO style_tags (style_id, name, count)
SELECT 1 + n % 1000, 'tag ' || n / 1000, n FROM generate_series(1, 20000) n;

INSERT INTO style_tag_deltas (style_id, name, amount)
SELECT style_id, name, 1 FROM generations CROSS JOIN unnest(prompt_tags) name WHERE public_key IS NOT NULL;

INSERT INTO comments (id, generation_id, author_id, parent_id, content, reply_count, created_at, updated_at)
SELECT n, 14 + n % 100 * 2, 1 + n % 500, NULL, 'Nice', CASE n WHEN 1 THEN 10000 ELSE 0 END,
    '{BEGAN}'::timestamptz + n * interval '1 minute', '{BEGAN}'::timestamptz
FROM generate_series(1, 20000) n
UNION ALL
SELECT 20000 + n, 16, 1 + n % 500, 1, 'Thanks', 0, '{BEGAN}'::timestamptz + n * interval '1 minute', '{BEGAN}'
FROM generate_series(1, 10000) n;

INSERT INTO notifications (id, recipient_id, type, reason, target_type, target_id, metadata, created_at, read_at)
SELECT n, 1 + n % 500, 'generation_complete', 'generation:' || n, 'generation', n, '{{}}',
    '{BEGAN}'::timestamptz + n * interval '1 minute', CASE WHEN n % 3 = 0 THEN '{BEGAN}'::timestamptz END
FROM generate_series(1, {MANY}) n;

INSERT INTO withdrawals (id, artist_id, amount, hold_id, created_at, status, ended_at, ended_by)
SELECT n, 1 + (n * 7) % 5000, 1, n, '{BEGAN}'::timestamptz + n * interval '1 minute', status,
    CASE status WHEN 'settled' THEN '{BEGAN}'::timestamptz END, CASE status WHEN 'settled' THEN 1 END
FROM generate_series(1, 20000) n, LATERAL (SELECT CASE WHEN n % 50 = 1 THEN 'pending' ELSE 'settled' END AS status) x;

INSERT INTO follows (follower_id, followed_id, created_at) SELECT 20000, n, '{BEGAN}' FROM generate_series(1, 1000) n;

-- Active people, whose pages are full.
INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, public_key, metadata, like_count, created_at, updated_at, ended_at
)
SELECT {2 * MANY} + n, CASE WHEN n % 10 = 0 THEN {PROLIFIC} ELSE 1 + n % 1000 END, 14, 15, 30, {2 * MANY} + n, '1:1',
    ARRAY['tag ' || n % 20, CASE WHEN n <= 900 THEN 'early' ELSE 'late' END], gen_random_uuid(), 'completed', 1,
    'generations/active/' || n, 'public/' || n, '{{}}', n % 31,
    '{BEGAN}'::timestamptz + n * interval '20 seconds', '{BEGAN}',
    '{BEGAN}'
FROM generate_series(1, {MANY}) n;

RESET session_replication_role;
"""

ANN, MIA, FAN, DEVOTEE = UserId(7), UserId(8), UserId(1005), UserId(20000)
FIRST = PageRequest()
DEEP = PageRequest(after=Keyset(15, BEGAN + timedelta(minutes=2000), 2000))

Look = Callable[[PostgresWorld, PageRequest], Awaitable[object]]

LISTS: dict[str, Look] = {
    "feed": lambda world, page: world.read.generations.feed(FeedQuery(), viewer=ANN, page=page),
    "popular feed": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR), viewer=ANN, page=page
    ),
    "feed of a user": lambda world, page: world.read.generations.feed(FeedQuery(user_id=ANN), viewer=None, page=page),
    "feed of a style": lambda world, page: world.read.generations.feed(
        FeedQuery(style_id=StyleId(14)), viewer=None, page=page
    ),
    "feed of whom one follows": lambda world, page: world.read.generations.feed(
        FeedQuery(followed_by=FAN), viewer=FAN, page=page
    ),
    "following": lambda world, page: world.read.community.following(FAN, page=page),
    "popular feed of whom one follows": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, followed_by=FAN), viewer=FAN, page=page
    ),
    "comments with replies": lambda world, page: world.read.community.comments(GenerationId(16), viewer=ANN, page=page),
    "comments": lambda world, page: world.read.community.comments(GenerationId(14), viewer=ANN, page=page),
    "replies": lambda world, page: world.read.community.replies(CommentId(1), viewer=ANN, page=page),
    "own images": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.COMPLETED, is_public=None, page=page
    ),
    "own public images": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.ALL, is_public=True, page=page
    ),
    "own images that failed": lambda world, page: world.read.generations.list_own(
        ANN, status=StatusFilter.FAILED, is_public=None, page=page
    ),
    "styles": lambda world, page: world.read.styles.list(StyleQuery(), page=page),
    "popular styles": lambda world, page: world.read.styles.list(StyleQuery(sort=StyleSort.POPULAR), page=page),
    "styles with unfinished ones": lambda world, page: world.read.styles.list(
        StyleQuery(own_unfinished=MIA), page=page
    ),
    "styles of an artist": lambda world, page: world.read.styles.list(StyleQuery(artist_id=MIA), page=page),
    "own styles": lambda world, page: world.read.styles.list_own(MIA, page=page),
    "notifications": lambda world, page: world.read.notifications.list(ANN, unread_only=False, page=page),
    "unread notifications": lambda world, page: world.read.notifications.list(ANN, unread_only=True, page=page),
    "transactions": lambda world, page: world.read.tokens.transactions(ANN, type=TransactionFilter.ALL, page=page),
    "own withdrawals": lambda world, page: world.read.withdrawals.list_own(MIA, page=page),
    "withdrawals": lambda world, page: world.read.withdrawals.list(status=None, page=page),
    "withdrawals to settle": lambda world, page: world.read.withdrawals.list(
        status=WithdrawalStatus.PENDING, page=page
    ),
    "refunds": lambda world, page: world.read.tokens.transactions(ANN, type=TransactionFilter.REFUND, page=page),
}
NARROWED: dict[str, Look] = {
    "popular feed of a user": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, user_id=PROLIFIC), viewer=None, page=page
    ),
    "feed by a common tag": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["tag 4"]), viewer=None, page=page
    ),
    "feed by a rare tag": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["rare 4"]), viewer=None, page=page
    ),
    "feed by a tag that the newest lack": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["early"]), viewer=None, page=page
    ),
    "popular feed by a tag that those with most likes lack": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["early"]), viewer=None, page=page
    ),
    "feed by two tags": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["tag 4", "rare 4"]), viewer=None, page=page
    ),
    "feed by a tag that there is not": lambda world, page: world.read.generations.feed(
        FeedQuery(tags=["none"]), viewer=None, page=page
    ),
    "popular feed by a common tag": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["tag 9"]), viewer=None, page=page
    ),
    "popular feed by a rare tag": lambda world, page: world.read.generations.feed(
        FeedQuery(sort=FeedSort.POPULAR, tags=["rare 4"]), viewer=None, page=page
    ),
    "styles by a common tag": lambda world, page: world.read.styles.list(StyleQuery(tags=["tag 4"]), page=page),
    "styles by a rare tag": lambda world, page: world.read.styles.list(StyleQuery(tags=["rare 4"]), page=page),
    "popular styles by a tag": lambda world, page: world.read.styles.list(
        StyleQuery(sort=StyleSort.POPULAR, tags=["tag 4"]), page=page
    ),
    "popular styles by a rare tag": lambda world, page: world.read.styles.list(
        StyleQuery(sort=StyleSort.POPULAR, tags=["rare 4"]), page=page
    ),
    "styles by a tag with unfinished ones": lambda world, page: world.read.styles.list(
        StyleQuery(tags=["rare 4"], own_unfinished=MIA), page=page
    ),
}
SINGLE: dict[str, Look] = {
    "requester": lambda world, _: world.scope().sessions.requester(bytes(32), at=BEGAN),
    "me": lambda world, _: world.read.accounts.me(MIA),
    "profile": lambda world, _: world.read.accounts.profile(ANN, viewer=MIA),
    "balance": lambda world, _: world.read.tokens.balance(MIA),
    "earnings by day": lambda world, _: world.read.tokens.earnings(
        MIA, first=DAY, last=DAY + timedelta(days=6), group=EarningsGroup.DAY
    ),
    "earnings by style": lambda world, _: world.read.tokens.earnings(
        MIA, first=DAY, last=DAY + timedelta(days=6), group=EarningsGroup.STYLE
    ),
    "style": lambda world, _: world.read.styles.detail(StyleId(14), viewer=Requester(MIA, Role.ADMIN, True)),
    "tags that go with a style": lambda world, _: world.read.styles.recommended_tags(StyleId(14), viewer=None),
    "image": lambda world, _: world.read.generations.detail(GenerationId(14), viewer=ANN),
    "silent images": lambda world, _: _silent_images(world),
    "images not resumed": lambda world, _: _unresumed_images(world),
    "silent trainings": lambda world, _: _silent_trainings(world),
    "place in the queue": lambda world, _: world.read.generations.last_in_queue(),
}


async def _silent_images(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.generations.silent(since=BEGAN + timedelta(days=1), limit=100)


async def _unresumed_images(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.generations.unresumed(since=BEGAN + timedelta(days=1), limit=100)


async def _silent_trainings(world: PostgresWorld) -> object:
    async with world.block() as ports:
        return await ports.styles.silent(since=BEGAN + timedelta(days=1), limit=100)


@pytest.fixture(scope="module")
async def much(postgres_server: postgres.Server, _template: str) -> AsyncIterator[str]:
    name = f"test_plans_{uuid4().hex[:8]}"
    url = await postgres_server.create(name, _template)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    yield url
    await postgres_server.drop(name)


@pytest.mark.parametrize("look", (LISTS | NARROWED | SINGLE).values(), ids=LISTS | NARROWED | SINGLE)
async def test_nothing_is_searched_from_end_to_end(much: str, look: Look) -> None:
    """Nor does any list pass over the rows of the pages before."""
    for plan in await plans(much, at(look, FIRST)):
        assert plan.read_from_end_to_end() == set()
        assert "OFFSET" not in plan.sql


@pytest.mark.parametrize("look", LISTS.values(), ids=LISTS)
async def test_a_page_reads_little_more_than_it_shows_however_deep_it_is(much: str, look: Look) -> None:
    """In one statement or two."""
    first, deep = [await plans(much, at(look, page)) for page in (FIRST, DEEP)]

    assert len(first) <= 2
    for plan in [*first, *deep]:
        assert plan.most_rows() <= 1000
    assert blocks(deep) <= 2 * blocks(first) + 50


@pytest.mark.parametrize("look", NARROWED.values(), ids=NARROWED)
@pytest.mark.parametrize("page", [FIRST, DEEP], ids=["first", "deep"])
async def test_a_page_of_what_few_or_many_have_reads_no_more_than_a_window(
    much: str, look: Look, page: PageRequest
) -> None:
    """Neither all rows, for a tag that few have, nor all that have a common one."""
    for generic in (False, True):
        [plan] = await plans(much, at(look, page), generic=generic)

        assert plan.most_rows() <= WINDOW
        assert plan.blocks <= 3 * WINDOW


async def test_images_of_a_thousand_people_one_follows_are_not_all_looked_at(much: str) -> None:
    """One of each, then a page of each of those who made the newest."""
    for page in (FIRST, DEEP):
        for sort in FeedSort:
            [plan] = await plans(much, feed_of(FeedQuery(sort=sort, followed_by=DEVOTEE), page))

            assert "generations" not in plan.read_from_end_to_end()
            assert plan.most_rows() <= 1000
            assert plan.blocks <= 10_000


async def test_an_image_is_one_row_of_each_table_found_by_its_index(much: str) -> None:
    """Who polls costs this much each time, whether anything has changed or not."""
    [plan] = await plans(much, at(SINGLE["image"], FIRST))

    looked_at = [node for node in nodes(plan.carried_out) if "Relation Name" in node and node["Actual Loops"]]
    assert "generations" in {node["Relation Name"] for node in looked_at}
    for node in looked_at:
        assert node["Node Type"] in {"Index Scan", "Index Only Scan"}
        assert (node["Actual Loops"], node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= 1) == (1, True)


def at(look: Look, page: PageRequest) -> Callable[[PostgresWorld], Awaitable[object]]:
    return lambda world: look(world, page)


def feed_of(query: FeedQuery, page: PageRequest) -> Callable[[PostgresWorld], Awaitable[object]]:
    return lambda world: world.read.generations.feed(query, viewer=None, page=page)


def blocks(statements: list[Plan]) -> int:
    return sum(plan.blocks for plan in statements)
