"""A broker with TLS. The certificate is verified, so that no third party can read the password or the tasks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.rabbitmq.broker import RabbitMQBroker
from adapters.rabbitmq.connection import Address, connected, declare_queues
from tests.support.certificates import Authority
from tests.support.proxy import Proxy
from tests.support.rabbitmq import VirtualHost


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def encrypted(broker: VirtualHost, authority: Authority) -> AsyncIterator[Address]:
    async with Proxy(broker, tls=authority.server()).running() as address:
        yield replace(address, tls=True)


async def reachable(address: Address) -> bool:
    rabbitmq = RabbitMQBroker(address)
    try:
        return await rabbitmq.reachable()
    finally:
        await rabbitmq.close()


async def test_a_broker_with_a_trusted_certificate_is_accepted(encrypted: Address, authority: Authority) -> None:
    address = replace(encrypted, ca_file=authority.file)

    assert await reachable(address)
    async with connected(address) as connection:
        await declare_queues(await connection.channel())


async def test_a_broker_with_an_untrusted_certificate_is_refused(encrypted: Address, tmp_path: Path) -> None:
    assert not await reachable(replace(encrypted, ca_file=Authority(tmp_path / "another").file))


async def test_the_authorities_of_the_system_are_trusted_by_default(encrypted: Address) -> None:
    assert not await reachable(encrypted)


async def test_a_certificate_of_another_host_is_refused(broker: VirtualHost, authority: Authority) -> None:
    async with Proxy(broker, tls=authority.server("127.0.0.2")).running() as address:
        assert not await reachable(replace(address, tls=True, ca_file=authority.file))


async def test_a_broker_without_tls_is_refused(broker: VirtualHost, authority: Authority) -> None:
    assert not await reachable(replace(broker.address, tls=True, ca_file=authority.file))
