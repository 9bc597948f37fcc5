"""The tests' own infrastructure works."""

import contextlib
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
import pytest
from joserfc import jwk, jwt

from tests.support import gcs, openid, postgres, rabbitmq
from tests.support.rabbitmq import package


async def test_postgres_is_a_real_server(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    version = await connection.fetchval("SELECT version()")
    await connection.close()
    assert version.startswith("PostgreSQL ")


async def test_a_database_returns_to_its_first_state(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        """
        CREATE TABLE accounts (id int PRIMARY KEY, balance int, twice int GENERATED ALWAYS AS (balance * 2) STORED);
        CREATE TABLE transfers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int REFERENCES accounts);
        INSERT INTO accounts (id, balance) VALUES (1, 100);
        INSERT INTO transfers (account) VALUES (1);
        """
    )
    await postgres.remember_first_state(empty_database_url)
    await connection.execute(
        """
        UPDATE accounts SET balance = 7;
        INSERT INTO accounts VALUES (2, 5);
        INSERT INTO transfers (account) VALUES (2);
        """
    )

    await postgres.restore_first_state(connection)

    assert await connection.fetch("SELECT * FROM accounts") == [(1, 100, 200)]
    assert await connection.fetch("SELECT * FROM transfers") == [(1, 1)]
    await connection.close()


async def test_a_transaction_left_open_is_reported(empty_database_url: str) -> None:
    connection, forgetful = await asyncpg.connect(empty_database_url), await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE things (id int)")
    await postgres.remember_first_state(empty_database_url)
    await forgetful.execute("BEGIN; INSERT INTO things VALUES (1); LOCK things")

    with pytest.raises(AssertionError, match="LOCK things"):
        await postgres.restore_first_state(connection)

    assert await connection.fetch("SELECT * FROM things") == []
    await connection.close()
    with contextlib.suppress(Exception):
        await forgetful.close()


async def test_rabbitmq_delivers_messages(broker: rabbitmq.VirtualHost) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        queue = await channel.declare_queue(f"test-{uuid4().hex}", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"paint"), queue.name, mandatory=True)
        message = await queue.get()
        await message.ack()
        await queue.delete()
        assert message.body == b"paint"


@pytest.mark.parametrize("time", ["first", "second"])
async def test_rabbitmq_is_empty_for_each_test(broker: rabbitmq.VirtualHost, time: str) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("image_generation", durable=True)
        assert queue.declaration_result.message_count == 0
        await channel.default_exchange.publish(aio_pika.Message(b"left behind"), queue.name, mandatory=True)


async def test_a_broker_without_management_is_shared_safely(rabbitmq_server: rabbitmq.VirtualHost) -> None:
    async with rabbitmq.own_virtual_host(rabbitmq_server) as own, await aio_pika.connect(own.url) as connection:
        unmanaged = replace(own, management_port=None)
        channel = await connection.channel(publisher_confirms=True)
        async with rabbitmq.own_virtual_host(unmanaged) as lent:
            assert lent == unmanaged
            await channel.declare_queue("image_generation", durable=True)
            await channel.default_exchange.publish(aio_pika.Message(b"of a test"), "image_generation")
        queue = await channel.declare_queue("image_generation", durable=True)
        assert queue.declaration_result.message_count == 0

        await channel.default_exchange.publish(aio_pika.Message(b"of somebody else"), "image_generation")
        with pytest.raises(RuntimeError, match=r"image_generation on .+ is in use"):
            async with rabbitmq.own_virtual_host(unmanaged):
                pass


def test_an_open_port_is_not_yet_rabbitmq(rabbitmq_server: rabbitmq.VirtualHost) -> None:
    """As a frozen one is: the system accepts connections for it."""
    assert rabbitmq.answers_amqp(rabbitmq_server)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not rabbitmq.answers_amqp(rabbitmq.VirtualHost("127.0.0.1", silent.getsockname()[1]))


@pytest.fixture
def apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the place of apt-get; services were allowed before."""
    program = tmp_path / "apt-get"
    program.write_text(
        '#!/bin/sh\necho "apt-get $*" | tee -a "$0.calls"\ncat "$0.policy" >>"$0.calls"\nexit ${FAILS:-0}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    policy = tmp_path / "apt-get.policy"
    policy.write_text("allowed\n")
    monkeypatch.setattr(package, "POLICY", policy)
    return program


def test_installing_rabbitmq_is_announced_in_one_line(apt_get: Path, capfd: pytest.CaptureFixture[str]) -> None:
    package.install()

    assert capfd.readouterr() == ("", package.ANNOUNCEMENT + "\n")
    calls = apt_get.with_suffix(".calls").read_text()
    assert calls.count("apt-get ") == 2
    assert calls.count("exit 101") == 2  # Debian starts no service meanwhile
    assert package.POLICY.read_text() == "allowed\n"


def test_a_failed_installation_suggests_a_remedy(apt_get: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "100")

    with pytest.raises(RuntimeError) as caught:
        package.install()

    assert "apt-get -q update" in str(caught.value)
    assert package.HOW_TO_HELP in str(caught.value)
    assert package.POLICY.read_text() == "allowed\n"


def test_the_emulator_stores_objects(bucket: gcs.Bucket) -> None:
    with contextlib.closing(bucket.emulator.client()) as client:
        blob = client.bucket(bucket.name).blob("images/1.png")
        blob.upload_from_string(b"picture", content_type="image/png")
        assert client.bucket(bucket.name).blob("images/1.png").download_as_bytes(start=0, end=2) == b"pic"
        assert [found.name for found in client.list_blobs(bucket.name)] == ["images/1.png"]


async def test_the_openid_provider_signs_in_a_known_user(openid_provider: openid.Provider) -> None:
    openid_provider.add_user("artist-1", email="artist@example.com", email_verified=True, name="Artist")
    async with httpx.AsyncClient() as client:
        discovered = (await client.get(openid_provider.discovery_url)).raise_for_status().json()
        asked = {"client_id": "test-client", "redirect_uri": "http://localhost/callback", "response_type": "code"}
        asked |= {"scope": "openid email profile", "state": "s", "nonce": "n"}
        login = str(httpx.URL(discovered["authorization_endpoint"], params=asked))

        answer = parse_qs(urlsplit(await openid_provider.sign_in(login, "artist-1")).query)
        assert answer["state"] == ["s"]

        form = {"grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": asked["redirect_uri"]}
        client_credentials = httpx.BasicAuth("test-client", "test-secret")
        tokens = (await client.post(discovered["token_endpoint"], data=form, auth=client_credentials)).json()
        keys = jwk.KeySet.import_key_set((await client.get(discovered["jwks_uri"])).json())

    claims = jwt.decode(tokens["id_token"], keys).claims
    assert claims["iss"] == openid_provider.issuer
    assert claims["nonce"] == "n"
    assert (claims["sub"], claims["email"], claims["name"]) == ("artist-1", "artist@example.com", "Artist")
