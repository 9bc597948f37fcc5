"""SQLAlchemy sessions for reading tables row by row, as the console does. The database refuses writes in them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from adapters.postgres import tables
from adapters.postgres.connections import connect

CONNECTIONS = 2
"""Besides those of the service's pool."""
CONNECTS_WITHIN = 10.0
"""Seconds."""
SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": "10s", "timezone": "UTC"}
"""A search through a large table gives up instead of keeping the database busy."""


@asynccontextmanager
async def read_only_engine(dsn: str) -> AsyncIterator[AsyncEngine]:
    async def connection() -> "asyncpg.Connection[Any]":
        opened = await connect(dsn, within=CONNECTS_WITHIN, statement_cache_size=0)
        for name, value in SETTINGS.items():
            await opened.execute(f"SET {name} = '{value}'")
        return opened

    engine = create_async_engine(
        "postgresql+asyncpg://?prepared_statement_cache_size=0",
        async_creator=connection,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


def sessions_of(engine: AsyncEngine) -> async_sessionmaker[Any]:
    return async_sessionmaker(engine, expire_on_commit=False)


def tables_by_name() -> dict[str, type[tables.Row]]:
    return {mapper.class_.__tablename__: mapper.class_ for mapper in tables.Row.registry.mappers}
