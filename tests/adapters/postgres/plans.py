"""How PostgreSQL carries out what a reader asks."""

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
    """For the values it was asked with, with what it took."""
    prepared: Node
    """For whatever values may come, as a server plans a statement that comes again and again."""

    @property
    def blocks(self) -> int:
        """Pages of the database that were looked at."""
        return sum(int(self.carried_out[f"Shared {how} Blocks"]) for how in ("Hit", "Read"))

    def read_from_end_to_end(self) -> set[str]:
        """Tables."""
        found = [*nodes(self.carried_out), *nodes(self.prepared)]
        return {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}

    def most_rows(self) -> int:
        """Rows, shown or thrown away, of the step that has most."""
        return max(_rows(node) for node in nodes(self.carried_out))


def _rows(node: Node) -> int:
    rows: float = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return round(rows)


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def plans(url: str, look: Callable[[PostgresWorld], Awaitable[object]], *, generic: bool = False) -> list[Plan]:
    """The statements of a look, one by one; carried out as planned for whatever values may come, if `generic`."""
    pool = _Listening(url)
    await look(PostgresWorld(pool))
    await pool.close()
    return [await _plan(url, sql, args, generic=generic) for sql, args in pool.asked]


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
    if isinstance(value, (list, tuple)):
        listed = ",".join(f'"{_text(one)}"' for one in value)
        return "'{" + listed.replace("\\", "\\\\") + "}'"
    return f"'{_text(value)}'"


def _text(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


class _Listening(Pool):
    """Remembers what was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url, max_size=4)
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, sql: str, *args: object, usage: DatabaseUsage | None = None) -> list[Record]:
        self.asked.append((sql, args))
        return await super().fetch(sql, *args, usage=usage)
