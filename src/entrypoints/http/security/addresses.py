"""The client's address."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from entrypoints.http.operation import Connection
from entrypoints.http.state import state_of
from entrypoints.variables import Network

Address = IPv4Address | IPv6Address

MAX_HOPS = 20
"""Addresses of an X-Forwarded-For that are looked at, from the right."""
IPV6_SITE = 64
"""Bits of an IPv6 address that identify a customer of a provider: the others are theirs to choose (RFC 6177)."""

_WITH_PORT = re.compile(r"\[(?P<ipv6>[^\]]+)\](?::\d{1,5})?|(?P<ipv4>[\d.]+):\d{1,5}", re.ASCII)


def client_address(connection: Connection) -> Address | None:
    """X-Forwarded-For is believed from the right, as far as proxies are trusted.

    A proxy that forwards something else than an address counts as the client. None if the server knows no address.
    """
    trusted = state_of(connection.app).settings.trusted_proxies
    address = parse_address(connection.client.host) if connection.client else None
    if not is_within(address, trusted):
        return address
    forwarded = ",".join(connection.headers.getall("X-Forwarded-For", [])).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    for hop in reversed([part.strip() for part in forwarded if part.strip()]):
        forwarded_address = parse_address(hop)
        if forwarded_address is None:
            break
        address = forwarded_address
        if not is_within(address, trusted):
            break
    return address


def parse_address(text: str) -> Address | None:
    """Parse an address with or without a port; an IPv4 address mapped into IPv6 becomes IPv4 (RFC 4291, 2.5.5.2)."""
    if found := _WITH_PORT.fullmatch(text):
        text = found["ipv6"] or found["ipv4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def client_network(address: Address | None) -> str:
    """What a client is counted by: its IPv4 address, or the network of its IPv6 address."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), IPV6_SITE), strict=False))
    return str(address) if address else "unknown"


def is_within(address: Address | None, networks: list[Network]) -> bool:
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )
