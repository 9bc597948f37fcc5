"""Query plans of the statements that a reader sends."""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from adapters.postgres.pool import SETTINGS, Pool, Record
from core.ports.database import DatabaseUsage
from tests.contracts.postgres_world import PostgresWorld

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    sql: str
    carried_out: Node
    """The plan for the actual arguments, executed: EXPLAIN (ANALYZE, BUFFERS)."""
    prepared: Node
    """The generic plan, as the server makes it for a prepared statement that is executed often."""

    @property
    def blocks(self) -> int:
        """Buffers hit or read."""
        return sum(int(self.carried_out[f"Shared {how} Blocks"]) for how in ("Hit", "Read"))

    def sequential_scans(self) -> set[str]:
        """Tables that either plan scans sequentially."""
        found = [*nodes(self.carried_out), *nodes(self.prepared)]
        return {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}

    def most_rows(self) -> int:
        """The largest number of rows, including filtered ones, of any node."""
        return max(_rows(node) for node in nodes(self.carried_out))


def _rows(node: Node) -> int:
    rows: float = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return round(rows)


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def plans(url: str, look: Callable[[PostgresWorld], Awaitable[object]], *, generic: bool = False) -> list[Plan]:
    """Run the reads and explain each statement; `generic` executes the generic plan."""
    pool = _Recording(url)
    await look(PostgresWorld(pool))
    await pool.close()
    return [await _plan(url, sql, args, generic=generic) for sql, args in pool.sent]


async def _plan(url: str, sql: str, args: tuple[object, ...], *, generic: bool) -> Plan:
    connection = await asyncpg.connect(url, server_settings=SETTINGS)
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE look AS {sql}")
        execute = f"EXECUTE look({', '.join(map(_literal, args))})" if args else "EXECUTE look"
        prepared = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {execute}")
        if not generic:
            await connection.execute("SET plan_cache_mode = force_custom_plan")
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}"
        await connection.fetchval(explain)  # the first one also looks up what it knows of the tables
        carried_out = await connection.fetchval(explain)
    finally:
        await connection.close()
    return Plan(sql, json.loads(carried_out)[0]["Plan"], json.loads(prepared)[0]["Plan"])


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        listed = ",".join("NULL" if one is None else f'"{_element(one)}"' for one in value)
        return f"'{{{listed}}}'"
    return f"'{_text(value)}'"


def _element(value: object) -> str:
    """In an array literal a backslash escapes."""
    return _text(value).replace("\\", "\\\\")


def _text(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


class _Recording(Pool):
    """Records the statements that it sends."""

    def __init__(self, url: str) -> None:
        super().__init__(url, max_size=4)
        self.sent: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, sql: str, *args: object, usage: DatabaseUsage | None = None) -> list[Record]:
        self.sent.append((sql, args))
        return await super().fetch(sql, *args, usage=usage)
