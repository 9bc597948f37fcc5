"""A server with TLS, as `sslmode` and `sslrootcert` of the URL ask for it: the pool and migrations alike."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.postgres import migrate
from adapters.postgres.pool import create_pool
from core.ports.database import DatabaseUnavailable
from tests.support.certificates import Authority

SSL_REQUEST = struct.pack("!II", 8, 80877103)
"""What a client asks for TLS with (PostgreSQL manual, 55.7)."""


async def open_connection(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    if place.hostname:
        return await asyncio.open_connection(place.hostname, place.port or 5432)
    return await asyncio.open_unix_connection(f"{parse_qs(place.query)['host'][0]}/.s.PGSQL.5432")


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def with_tls(url: str, context: ssl.SSLContext) -> AsyncIterator[str]:
    """The URL of the same database behind a server that refuses whoever does not ask for TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
            writer.close()
            return
        writer.write(b"S")
        with suppress(OSError):
            await writer.start_tls(context)
            there, out = await open_connection(url)
            await asyncio.gather(pump(reader, out), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    place = urlsplit(url)
    user = place.netloc.rpartition("@")[0]
    async with server:
        yield place._replace(netloc=f"{user}@127.0.0.1:{port}", query="").geturl()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def encrypted(own_database_url: str, authority: Authority) -> AsyncIterator[str]:
    async with with_tls(own_database_url, authority.server()) as url:
        yield url


async def answers(url: str) -> bool:
    async with create_pool(url, max_size=1) as pool:
        try:
            [row] = await pool.fetch("SELECT 1 AS one")
        except DatabaseUnavailable:
            return False
    return bool(row["one"] == 1)


async def test_a_server_with_a_trusted_certificate_is_accepted(encrypted: str, authority: Authority) -> None:
    url = f"{encrypted}?sslmode=verify-full&sslrootcert={authority.file}"

    assert await answers(url)
    assert await asyncio.to_thread(migrate.current, url) == migrate.head()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_a_server_with_an_untrusted_certificate_is_refused(encrypted: str, tmp_path: Path, mode: str) -> None:
    another = Authority(tmp_path / "another")
    assert not await answers(f"{encrypted}?sslmode={mode}&sslrootcert={another.file}")


async def test_the_name_of_the_server_is_verified(own_database_url: str, authority: Authority) -> None:
    async with with_tls(own_database_url, authority.server("127.0.0.2")) as url:
        assert not await answers(f"{url}?sslmode=verify-full&sslrootcert={authority.file}")
        assert await answers(f"{url}?sslmode=verify-ca&sslrootcert={authority.file}")


async def test_sslmode_require_accepts_any_certificate(encrypted: str) -> None:
    assert await answers(f"{encrypted}?sslmode=require")
    assert not await answers(f"{encrypted}?sslmode=disable")
