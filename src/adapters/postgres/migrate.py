"""Runs migrations up and down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import asyncpg

from adapters.postgres.connections import connect, unavailability
from core.ports.database import DatabaseUnavailable

MIGRATIONS = Path(__file__).parents[3] / "migrations"
ONE_AT_A_TIME = 5_710_442_117
"""The advisory lock that serializes processes starting at the same time."""
CONNECTS_WITHIN = 60.0
"""Seconds."""


def head() -> str:
    """The newest revision; revisions are numbered."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def upgrade(dsn: str, revision: str | None = None) -> None:
    """Run missing migrations up to `revision`, by default the newest; quick if none is missing.

    A database ahead of this version is left unchanged. Like all functions here, to be called from a thread without a
    running event loop. All raise DatabaseUnavailable, also if the database refuses: the user may lack a privilege.
    """
    asyncio.run(_migrate(dsn, "upgrade", revision or head()))


def downgrade(dsn: str, revision: str) -> None:
    """Migrate down to a revision, or to `base`, before the first."""
    asyncio.run(_migrate(dsn, "downgrade", revision))


def is_behind(dsn: str) -> bool:
    """Whether migrations are missing; False for a database ahead of this version."""
    return not _is_there(current(dsn), "upgrade", head())


def current(dsn: str) -> str:
    """The database's revision, `base` before the first."""
    return asyncio.run(_current(dsn))


async def _current(dsn: str) -> str:
    async with _connected(dsn) as connection:
        return await _revision(connection)


async def _migrate(dsn: str, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    async with _connected(dsn) as connection:
        if _is_there(await _revision(connection), direction, revision):
            return
        await connection.execute("SELECT pg_advisory_lock($1)", ONE_AT_A_TIME)
        if not _is_there(await _revision(connection), direction, revision):
            await _run(dsn, direction, revision)


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    connection = await _connect(dsn)
    try:
        yield connection
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and unavailability(cause) is None:
            cause = cause.__cause__  # SQLAlchemy's errors wrap asyncpg's
        if cause is None and isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError)):
            raise DatabaseUnavailable(reason=f"it refuses: {error}") from error
        if cause is None:
            raise
        raise DatabaseUnavailable(reason=str(cause)) from error
    finally:
        connection.terminate() if connection.is_closed() else await connection.close(timeout=5)


async def _connect(dsn: str) -> "asyncpg.Connection[Any]":
    try:
        return await connect(dsn, within=CONNECTS_WITHIN)
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(reason=str(error.__cause__)) from error


def _is_there(present: str, direction: Literal["upgrade", "downgrade"], wanted: str) -> bool:
    reached, goal = (0 if revision == "base" else int(revision) for revision in (present, wanted))
    return reached >= goal if direction == "upgrade" else reached <= goal


async def _revision(connection: "asyncpg.Connection[Any]") -> str:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return "base"
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision or "base"


async def _run(dsn: str, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    # Imported here because that takes longer than the rest, and most starts have nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import Connection, NullPool  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    def run(connection: Connection) -> None:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        getattr(command, direction)(config, revision)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: _connect(dsn), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    except DBAPIError as error:
        if unavailability(error.orig.__cause__ or error.orig if error.orig else error):
            raise
        raise DatabaseUnavailable(reason=f"it refuses a migration: {error.orig}") from error
