"""Which connections production encrypts: all that leave the machine."""

from collections.abc import Iterable
from ipaddress import ip_address

from core.secret import Secret
from entrypoints.database_url import hosts, last, split_database_url

ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""Values of `sslmode` that never connect without TLS. The default, `prefer`, does if the server offers none."""
PLAINTEXT = "ALLOW_PLAINTEXT_CONNECTIONS"
OR_PLAINTEXT = f"{PLAINTEXT}=on if only you can read the network in between"


def unencrypted_urls(named: Iterable[tuple[str, str | None]]) -> list[str]:
    """By the names of variables."""
    return [
        f"{name} is not https: cookies, tokens and keys would be sent unencrypted"
        for name, url in named
        if url and not url.startswith("https://")
    ]


def unencrypted_connections(database: Secret | None, broker: str | None) -> list[str]:
    """Of a database's URL, and the host of a broker without TLS."""
    problems = []
    parts = split_database_url(database.reveal()) if database else None
    if parts and last(parts, "sslmode") not in ENCRYPTED and not all(_on_this_machine(host) for host in hosts(parts)):
        problems.append(
            "DATABASE_URL may connect unencrypted: add ?sslmode=verify-full&sslrootcert=FILE, or sslmode=require to"
            f" verify nothing, or set {OR_PLAINTEXT}"
        )
    if broker and not _on_this_machine(broker):
        problems.append(f"RABBITMQ_TLS is off: set RABBITMQ_TLS=on, or {OR_PLAINTEXT}")
    return problems


def _on_this_machine(host: str) -> bool:
    """A Unix socket or a loopback address: what is sent there does not leave the machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.startswith("/") or host == "localhost"
