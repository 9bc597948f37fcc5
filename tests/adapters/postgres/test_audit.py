from typing import Any

import asyncpg
import pytest

from core.accounts.make_admin import MakeAdmin
from core.audit.model import Operator
from tests.contracts.postgres_world import PostgresWorld


@pytest.mark.parametrize(
    "change", ["UPDATE audit_log SET reason = 'another'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
async def test_audit_lines_are_append_only(world: PostgresWorld, sql: "asyncpg.Connection[Any]", change: str) -> None:
    mia = await world.user("mia")
    await world.use_case(MakeAdmin)(Operator(None), mia.id)

    with pytest.raises(asyncpg.RestrictViolationError, match="audit_log is append-only"):
        await sql.execute(change)
    assert await sql.fetchval("SELECT reason FROM audit_log") is None
