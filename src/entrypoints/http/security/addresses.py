"""The client's address."""

from ipaddress import ip_address

from entrypoints.http.operation import Connection
from entrypoints.http.state import state_of
from entrypoints.settings import Network


def client_address(connection: Connection) -> str:
    """X-Forwarded-For is believed from the right, as far as proxies are trusted."""
    trusted = state_of(connection.app).settings.trusted_proxies
    address = connection.client.host if connection.client else ""
    forwarded = ",".join(connection.headers.getall("X-Forwarded-For", [])).split(",")
    for hop in reversed([part.strip() for part in forwarded if part.strip()]):
        if not is_within(address, trusted):
            break
        address = hop
    return address


def is_within(address: str, networks: list[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed.version == network.version and parsed in network for network in networks)
