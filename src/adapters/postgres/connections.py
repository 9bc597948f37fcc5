"""New connections to a writable server, and what an error means for the connection."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg

from core.ports.database import DatabaseUnavailable

IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS read_only"
"""Of this session; during recovery it holds for all sessions of a server."""

READ_ONLY = "25006"
ENDS_SESSION = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"})
"""Shutdown, crash, start-up, database dropped, and the time-outs of idle sessions and transactions."""
CONNECTION_EXCEPTION = "08"
FATAL = frozenset({"FATAL", "PANIC"})
"""With these severities the server ends the session, whatever the code (PostgreSQL manual, table 19.2)."""
UNKNOWN_STATEMENT = "26000"
"""The server lacks a prepared statement that the connection has cached; retrying would fail forever."""
OUT_OF_RESOURCES = frozenset({"53", "58"})
"""Classes: memory, disk, connections; operating system errors. Ending the session releases its resources."""
TRY_AGAIN = frozenset({"57014", "40001", "40P01"})
"""Cancelled by a time-out, serialization failure (or conflict with recovery), deadlock."""


class SessionUnusable(DatabaseUnavailable):
    """Nothing was done, and the session must be closed."""


class ServerUnusable(DatabaseUnavailable):
    """Nothing was done, and all sessions with this server must be closed: it is not writable any more."""


class ConnectionLost(DatabaseUnavailable):
    """The connection broke during a statement, which may or may not have been executed."""


def unavailability(error: BaseException | None) -> DatabaseUnavailable | None:
    """What an error means for the connection; None for an error of the statement itself."""
    if isinstance(
        error, OSError | asyncpg.InternalClientError
    ):  # the latter: the server's messages between two statements
        return ConnectionLost()
    if not isinstance(error, asyncpg.PostgresError):
        return None
    code = error.sqlstate or ""
    ended = code in ENDS_SESSION or code[:2] == CONNECTION_EXCEPTION or error.severity_en in FATAL
    if ended:
        return ConnectionLost()
    if code == READ_ONLY:
        return ServerUnusable()
    if code == UNKNOWN_STATEMENT or code[:2] in OUT_OF_RESOURCES:
        return SessionUnusable()
    return DatabaseUnavailable() if code in TRY_AGAIN else None


async def connect(dsn: str, *, within: float, **options: Any) -> "asyncpg.Connection[Any]":
    """A connection to a writable host of the URL; raises DatabaseUnavailable if there is none `within` seconds.

    All hosts are tried at once: asyncpg tries them one after the other within one time-out, so that a first host that
    does not respond hides the others.
    """
    attempts = [
        asyncio.create_task(asyncpg.connect(one, timeout=within, target_session_attrs="read-write", **options))
        for one in each_host(dsn)
    ]
    try:
        return await _first(attempts)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise DatabaseUnavailable from error


async def _first(attempts: Sequence["asyncio.Task[asyncpg.Connection[Any]]"]) -> "asyncpg.Connection[Any]":
    """The first connection established, or the error of an attempt; the other attempts are cancelled."""
    chosen = attempts[0]
    established = None
    waiting = set(attempts)
    try:
        while waiting and (not chosen.done() or chosen.exception()):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            chosen = next((attempt for attempt in done if not attempt.exception()), chosen)
        established = await chosen
        return established
    finally:
        # A caller that is cancelled takes none, not even one that has just been established.
        for attempt in attempts:
            if established is None or attempt is not chosen:
                attempt.add_done_callback(_terminate)
                attempt.cancel()


def _terminate(attempt: "asyncio.Task[asyncpg.Connection[Any]]") -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().terminate()


def each_host(dsn: str) -> list[str]:
    """One URL per host of a URL with several hosts, before the path or in its query (`host=`, `port=`)."""
    url = urlsplit(dsn)
    user, at, named = url.netloc.rpartition("@")
    if "," in named:
        return [url._replace(netloc=f"{user}{at}{host}").geturl() for host in named.split(",")]
    query = dict(parse_qsl(url.query))
    hosts = query.pop("host", "").split(",")
    if named or len(hosts) == 1:
        return [dsn]
    ports = query.pop("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = [
        f"host={quote(host)}" + (f"&port={port}" if port else "") for host, port in zip(hosts, ports, strict=True)
    ]
    return [url._replace(query="&".join(filter(None, [place, urlencode(query)]))).geturl() for place in places]
