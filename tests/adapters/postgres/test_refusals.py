"""The database refuses what would break the ledger, for every writer."""

from typing import Any

import asyncpg
import pytest

from tests.adapters.postgres.violations import GIFT, GONE, HOLD, REFUSED, WITHDRAWAL, insert
from tests.contracts.postgres_world import PostgresWorld
from tests.contracts.test_books import play


@pytest.fixture
async def books(world: PostgresWorld) -> PostgresWorld:
    """Everything that moves tokens has happened once."""
    await play(world)
    return world


async def test_a_violation_is_refused_by_its_constraint(books: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    before = await books.books.examine()

    refused = {wrong: await refusal(sql, statement) for wrong, (statement, _) in REFUSED.items()}

    assert refused == {wrong: rule for wrong, (_, rule) in REFUSED.items()}
    assert await books.books.examine() == before


async def test_rows_that_the_ledger_needs_cannot_be_deleted(
    books: PostgresWorld, sql: "asyncpg.Connection[Any]"
) -> None:
    before = await books.books.examine()
    for refused, statements in GONE.items():
        for statement in statements:
            with pytest.raises(asyncpg.RestrictViolationError, match=refused):
                await sql.execute(statement)
    assert await books.books.examine() == before


async def test_valid_statements_are_accepted(books: PostgresWorld, sql: "asyncpg.Connection[Any]") -> None:
    """So that none of the above is refused for something else."""
    for statement in (
        insert(GIFT),
        insert(HOLD | {"amount": "10"}),
        insert(WITHDRAWAL | {"amount": "25", "reference": "'withdrawal:4711'"}),
    ):
        assert await sql.execute(statement) == "INSERT 0 1"


async def refusal(sql: "asyncpg.Connection[Any]", statement: str) -> object:
    """The rule by which it is refused."""
    try:
        return await sql.execute(statement)
    except asyncpg.IntegrityConstraintViolationError as error:
        return error.constraint_name
