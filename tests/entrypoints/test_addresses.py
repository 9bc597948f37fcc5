"""Addresses of clients, behind proxies and in every notation."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest

from core.ports.rate_limiter import Limit
from entrypoints.http.security.addresses import client_network, parse_address
from entrypoints.parts import RateLimits
from entrypoints.settings import read_settings
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

ONCE = Limit(1, timedelta(minutes=1))


@pytest.fixture
async def service(world: MemoryWorld) -> AsyncIterator[Service]:
    """Each address may call once a minute."""
    limits = RateLimits(*[ONCE] * len(RateLimits.__struct_fields__))
    service = Service(world, rate_limits=limits, trusted_proxies=[ip_network("10.0.0.0/8")])
    yield service
    await service.container.close()


async def forwarded(proxy: Browser, addresses: str) -> int:
    return (await proxy.get("/api/styles", headers={"X-Forwarded-For": addresses})).status_code


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:51234", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_an_address_is_parsed_with_or_without_a_port(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "192.0.2", "192.0.2.1:", "192.0.2.1:x", "[192.0.2.1", "٣.0.2.1"]
)
def test_invalid_addresses_are_not_parsed(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ],
)
def test_clients_are_counted_by_network(address: str, network: str) -> None:
    assert client_network(parse_address(address)) == network


@pytest.mark.parametrize(
    "another", ["192.0.2.1:5000", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80", "198.51.100.7, 192.0.2.1, 10.0.0.9"]
)
async def test_notations_of_one_address_are_one_client(service: Service, another: str) -> None:
    async with service.browser(address="10.0.0.1") as proxy:
        assert [await forwarded(proxy, "192.0.2.1"), await forwarded(proxy, another)] == [200, 429]


async def test_an_invalid_forwarded_address_counts_as_the_proxy(service: Service) -> None:
    async with service.browser(address="10.0.0.1") as proxy:
        answers = [await forwarded(proxy, text) for text in ("garbage", "192.0.2.1, other garbage", "a" * 30_000)]

    assert answers == [200, 429, 429]


async def test_only_the_last_addresses_of_a_long_header_are_read(service: Service) -> None:
    async with service.browser(address="10.0.0.1") as proxy:
        answers = [await forwarded(proxy, f"192.0.2.{first}," + ",".join(["10.0.0.2"] * 1000)) for first in (1, 2)]

    assert answers == [200, 429]


def test_a_mapped_network_is_an_ipv4_network() -> None:
    settings = read_settings(
        {"TRUSTED_PROXIES": "::ffff:10.0.0.0/104,2001:db8::/32", "WEBHOOK_ALLOWED_NETWORKS": "::/0"}
    )

    assert settings.trusted_proxies == [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
    assert settings.webhook_allowed_networks == [ip_network("::/0")]
