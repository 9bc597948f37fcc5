"""Environment variables, read into values; their problems are collected."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from core.ports.rate_limiter import Limit
from core.secret import Secret

MAX_DIGITS = 9
"""Of a number; Python refuses to read one of some thousands."""

Network = IPv4Network | IPv6Network
Choice = TypeVar("Choice", bound=str)
MAPPED_PREFIX = 96
"""Bits before the IPv4 address in one that is mapped into IPv6 (RFC 4291, 2.5.5.2)."""


def _unmapped(network: Network) -> Network:
    """IPv4 networks mapped into IPv6 become IPv4, as clients' addresses do."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < MAPPED_PREFIX:
        return network
    return IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX))


def split_url(url: str) -> SplitResult | None:
    """None if it is none, such as one with a port of 99999."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read from the text only now
    except ValueError:
        return None
    return parts


class Reader:
    """Reads variables and collects their problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        """None also for an empty value, as `.env` files have it for what is not set."""
        return self.environ.get(name, "").strip() or None

    def secret(self, name: str) -> Secret | None:
        text = self.text(name)
        return Secret(text) if text else None

    def file(self, name: str) -> Path | None:
        text = self.text(name)
        if text is None:
            return None
        if not Path(text).is_file():
            self.problems.append(f"{name}={text!r} is not a file")
        return Path(text)

    def choice(self, name: str, choices: tuple[Choice, ...], default: Choice) -> Choice:
        text = self.text(name)
        if text is None:
            return default
        for choice in choices:
            if text == choice:
                return choice
        self.problems.append(f"{name}={text!r} is none of {', '.join(choices)}")
        return default

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not text.isdecimal() or len(text) > MAX_DIGITS or not low <= int(text) <= high:
            self.problems.append(f"{name}={text!r} is not a whole number from {low} to {high}")
            return default
        return int(text)

    def seconds(self, name: str, default: int, *, low: int = 1) -> timedelta:
        return timedelta(seconds=self.number(name, default, low=low, high=30 * 24 * 60 * 60))

    def limit(self, name: str, default: Limit) -> Limit:
        """From calls/seconds."""
        text = self.text(name)
        if text is None:
            return default
        calls, _, seconds = text.partition("/")
        numbers = (calls, seconds)
        if not all(number.isdecimal() and len(number) <= MAX_DIGITS and int(number) > 0 for number in numbers):
            self.problems.append(f"{name}={text!r} is not calls/seconds, such as 100/60")
            return default
        return Limit(int(calls), timedelta(seconds=int(seconds)))

    def url(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        parts = split_url(text)
        if (
            parts is None
            or parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
        ):
            self.problems.append(f"{name}={text!r} is not an http or https URL")
        return text.rstrip("/")

    def several(self, name: str) -> list[str]:
        return [part.strip() for part in (self.text(name) or "").split(",") if part.strip()]

    def origins(self, name: str) -> list[str]:
        origins = self.several(name)
        for origin in origins:
            parts = split_url(origin)
            if not parts or parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
                self.problems.append(f"{name}: {origin!r} is not an origin such as https://example.com")
        return origins

    def networks(self, name: str) -> list[Network]:
        networks: list[Network] = []
        for part in self.several(name):
            try:
                networks.append(_unmapped(ip_network(part)))
            except ValueError:
                self.problems.append(f"{name}: {part!r} is not a network such as 10.0.0.0/8")
        return networks
