from dataclasses import dataclass, field

from core.accounts.sign_in import SignedIn
from core.identifiers import CommentId, GenerationId, StyleId
from core.ports.identity_provider import Identity
from core.purchases.views import StartedPurchase


@dataclass(slots=True)
class Person:
    """What a user knows, also after a session crashed."""

    identity: Identity
    is_artist: bool
    signed_in: SignedIn | None = None
    generations: list[GenerationId] = field(default_factory=list)
    orders: list[StartedPurchase] = field(default_factory=list)
    styles: list[StyleId] = field(default_factory=list)
    comments: list[CommentId] = field(default_factory=list)
    keys: int = 0
    """How many idempotency keys they have made up."""
    ring: "Person | None" = None
    """The artist for whom this is one of several accounts of the same human."""
    welcomed: bool = True
    """Whether the signed-in user certainly got welcome tokens."""

    def change_identity(self) -> None:
        self.identity = _named(f"{self.identity.name}+")

    def forget(self) -> None:
        """The next sign-in may be a new user, who owns none of this."""
        self.signed_in, self.welcomed = None, False
        for things in (self.generations, self.orders, self.styles, self.comments):
            things.clear()


def new_person(name: str, *, is_artist: bool = False) -> Person:
    return Person(_named(name), is_artist)


def people(users: int, artists: int) -> list[Person]:
    return [new_person(f"person{index}", is_artist=index < artists) for index in range(users + artists)]


def ring(name: str, accounts: int) -> list[Person]:
    """An artist, and other accounts of the same human."""
    artist = new_person(name, is_artist=True)
    return [artist, *(Person(_named(f"{name}-{number}"), is_artist=False, ring=artist) for number in range(accounts))]


def _named(name: str) -> Identity:
    return Identity("test", name, f"{name}@example.com", name, None)
