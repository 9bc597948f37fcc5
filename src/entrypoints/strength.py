"""How strong secrets have to be in production."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log2

from core.secret import Secret

MIN_SECRET = 32
"""Minimum length of a secret, in characters."""
MIN_BITS = 96
"""Minimum information of a secret."""
MIN_PASSWORD = 8
"""Minimum length of a password, in characters."""
WELL_KNOWN = frozenset(
    {"admin", "changeme", "default", "example", "guest", "password", "postgres", "qwerty", "rabbitmq", "secret"}
)
"""Common passwords, without trailing digits."""

Named = Mapping[str, Secret | None]
"""By the names of variables."""


def weak_secrets(named: Named) -> list[str]:
    return [
        f"{name} is weak: at least {MIN_SECRET} random characters"
        for name, secret in named.items()
        if secret and (len(secret.reveal()) < MIN_SECRET or _guessable(secret.reveal()))
    ]


def weak_passwords(named: Named) -> list[str]:
    return [
        f"{name} has a weak password: at least {MIN_PASSWORD} characters, and no well-known one"
        for name, password in named.items()
        if password and _weak_password(password.reveal())
    ]


def equal_secrets(named: Named, *, but: frozenset[str]) -> Iterable[str]:
    """Those of `but` may be equal to each other."""
    owners: dict[Secret, str] = {}
    for name, secret in named.items():
        owner = owners.setdefault(secret, name) if secret else name
        if owner != name and not {owner, name} <= but:
            yield f"{owner} and {name} are the same: who knows one must not know the other"


def _guessable(secret: str) -> bool:
    """Whether the text carries little information, by the frequencies of its characters, or repeats itself.

    A random text of 32 hexadecimal digits has 100 bits or more, and next to no three characters twice.
    """
    counts = Counter(secret)
    bits = -sum(count * log2(count / len(secret)) for count in counts.values())
    threes = {secret[at : at + 3] for at in range(len(secret) - 2)}
    return bits < MIN_BITS or len(threes) < (len(secret) - 2) * 3 / 4


def _weak_password(password: str) -> bool:
    well_known = password.lower().rstrip("0123456789!") in WELL_KNOWN
    return len(password) < MIN_PASSWORD or len(set(password)) < MIN_PASSWORD // 2 or well_known
