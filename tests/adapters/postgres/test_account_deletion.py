"""Every table that refers to a user, present or future, is exported, and is erased or kept on purpose."""

import asyncio
from typing import Any

import asyncpg
import pytest

from core.account_deletion.delete_account import DeleteAccount
from core.accounts.errors import UserNotFound
from core.accounts.model import User
from core.audit.model import Operator
from core.community.errors import DuplicateLike
from core.paging import PageRequest
from core.ports.idempotency import Answer, Call
from core.reports.dismiss_report import DismissReport
from core.withdrawals.reject_withdrawal import RejectWithdrawal
from tests.contracts.artwork_uploads import announce
from tests.contracts.overlap import Block
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_export import exported, sample_data
from tests.support.scope import Scope

NAMES_OF_USERS = {
    *("user_id", "owner_id", "author_id", "artist_id", "actor_id", "recipient_id", "follower_id", "followed_id"),
    "reporter_id",
    "ended_by",
    "admin_id",
}
SECTIONS = {
    "users": "profile",
    "artists": "profile",
    "artist_texts": "profile",
    "sessions": "sessions",
    "styles": "styles",
    "generations": "generations",
    "likes": "likes",
    "comments": "comments",
    "follows": "following",
    "notifications": "notifications",
    "accounts": "transactions",
    "purchases": "purchases",
    "withdrawals": "withdrawals",
    "reports": "reports",
}
"""Where in the export a table's rows are found."""
NOT_EXPORTED = {"idempotency_keys", "artwork_uploads", "audit_log"}
"""Means, kept for a day: see ExportAccount. What an admin did is the operator's."""
KEPT = {
    ("accounts", "owner_id"),
    ("purchases", "user_id"),
    ("withdrawals", "artist_id"),
    ("withdrawals", "ended_by"),
    ("audit_log", "admin_id"),
    ("reports", "ended_by"),
}
"""Money, tokens and what an admin did, under the id of a deleted user."""
COLUMNS = f"""
SELECT table_name, column_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND (
    column_name IN ({", ".join(f"'{name}'" for name in sorted(NAMES_OF_USERS))})
    OR (table_name, column_name) IN (
        SELECT child.relname, attname FROM pg_constraint
        JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
        JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
        WHERE contype = 'f' AND parent.relname IN ('users', 'artists')
    )
)
"""
TABLES = """
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def columns(sql: "asyncpg.Connection[Any]") -> set[tuple[str, str]]:
    """All that refer to users, by foreign key or by name."""
    return {("users", "id"), *((row["table_name"], row["column_name"]) for row in await sql.fetch(COLUMNS))}


async def referring(sql: "asyncpg.Connection[Any]", user: User) -> set[tuple[str, str]]:
    return {
        (table, column)
        for table, column in await columns(sql)
        if await sql.fetchval(f'SELECT count(*) FROM "{table}" WHERE "{column}" = $1', user.id)
    }


async def tables_with(sql: "asyncpg.Connection[Any]", text: str) -> set[str]:
    found = set()
    for row in await sql.fetch(TABLES):
        name = row["table_name"]
        if await sql.fetchval(f'SELECT count(*) FROM "{name}" one WHERE strpos(one::text, $1) > 0', text):
            found.add(name)
    return found


async def account_with_all_data(world: PostgresWorld) -> User:
    user, other = await world.artist("mia-of-nowhere", tokens=500), await world.artist("zoe", tokens=500)
    await sample_data(world, user, other)
    await announce(world, user, 1)
    for withdrawal in (await world.read.withdrawals.list(status=None, page=PageRequest())).rows:
        admin = other if withdrawal.artist.id == user.id else user
        await world.use_case(RejectWithdrawal)(Operator(admin.id), withdrawal.id, reason="No.")
    for report in (await world.read.reports.list(status=None, page=PageRequest())).rows:
        if report.owner_id == other.id:
            await world.use_case(DismissReport)(Operator(user.id), report.id, reason="No.")
    async with world.scope().call as call:
        await call.begin(Call(user.id, "a key", b"a call", world.clock.now()))
        await call.finish(Answer(201, {}, b"{}"))
    return user


async def test_the_fixture_fills_every_column_that_refers_to_users(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    """Otherwise the following tests would not cover it: let `sample_data` create one."""
    user = await account_with_all_data(world)

    assert await referring(sql, user) == await columns(sql)


async def test_every_table_that_refers_to_users_is_exported(
    world: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    user = await account_with_all_data(world)

    export = await exported(world, user)

    assert {table for table, _ in await columns(sql)} == SECTIONS.keys() | NOT_EXPORTED
    assert set(SECTIONS.values()) <= {name for name, rows in export.items() if rows}


async def test_only_ledger_ids_remain_of_an_erased_user(world: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    user = await account_with_all_data(world)
    assert {"users", "artists", "artist_texts", "comments", "sessions"} <= await tables_with(sql, "mia-of-nowhere")

    await world.use_case(DeleteAccount)(user.id)

    assert await referring(sql, user) == KEPT
    assert await tables_with(sql, "mia-of-nowhere") == set()


@pytest.mark.parametrize("committed", [True, False])
async def test_removing_a_user_waits_for_references(world: PostgresWorld, committed: bool) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann")
    image = await world.image(mia, await world.style(mia), public=True)

    async def like(ports: Scope) -> None:
        await ports.likes.add(ann.id, image.id, at=world.clock.now())
        await ports.users.username_taken("nobody")  # sends what is held back

    liking = await Block(world, like).open()
    removing = await Block(world, lambda ports: ports.personal_data.remove_user(ann.id, identity=b"ann")).waits()
    await (liking.commit() if committed else liking.roll_back())

    assert await removing.commit() is (not committed)
    outcome = (await asyncio.gather(world.like(ann, image), return_exceptions=True))[0]
    assert isinstance(outcome, DuplicateLike if committed else UserNotFound)
    assert (await world.read.generations.detail(image.id, viewer=None)).like_count == committed
