from dataclasses import dataclass, field

from core.accounts.sign_in import SignedIn
from core.identifiers import CommentId, GenerationId, StyleId
from core.ports.identity_provider import Identity
from core.purchases.views import StartedPurchase


@dataclass(slots=True)
class Person:
    """What somebody remembers, whatever happens to a screen."""

    identity: Identity
    draws: bool
    signed_in: SignedIn | None = None
    generations: list[GenerationId] = field(default_factory=list)
    orders: list[StartedPurchase] = field(default_factory=list)
    styles: list[StyleId] = field(default_factory=list)
    comments: list[CommentId] = field(default_factory=list)
    keys: int = 0
    """How many idempotency keys they have made up."""


def stranger(name: str, *, draws: bool = False) -> Person:
    return Person(Identity("test", name, f"{name}@example.com", name, None), draws)


def people(users: int, artists: int) -> list[Person]:
    return [stranger(f"person{index}", draws=index < artists) for index in range(users + artists)]
