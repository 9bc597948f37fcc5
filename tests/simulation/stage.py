from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from datetime import timedelta
from io import BytesIO
from itertools import count
from random import Random
from typing import Any, BinaryIO

from core.accounts.errors import UserNotFound
from core.community.errors import CommentNotFound
from core.errors import DomainError
from core.generations.errors import GenerationNotFound
from core.generations.fail_unresumed_generations import RetryGrace
from core.identifiers import CommentId, GenerationId, OrderId, StyleId, UserId
from core.ports.images import Derivative, Image, Images
from core.ports.transaction import OutcomeUnknown
from core.styles.errors import StyleNotFound
from core.styles.new_style import StylesPerArtist
from tests.simulation.broker import FaultyBroker
from tests.simulation.faults import Faults
from tests.simulation.payments import FaultyPayments
from tests.support.world import World

TIMEOUT = timedelta(minutes=30)
"""The time-out of a generation's attempt and of a training."""
GRACE = RetryGrace(timedelta(minutes=2))
"""The time in which an inference server retries after a failed attempt."""

GONE = (UserNotFound, GenerationNotFound, StyleNotFound, CommentNotFound)
"""Refusals that refer to a deleted user or their data."""


class Stage(ABC):
    """The service's use cases in a world with faults, shared by all actors."""

    def __init__(self, world: World, random: Random, faults: Faults) -> None:
        self.world = world
        self.random = random
        self.faults = faults
        self.provider = FaultyPayments(world.payments, self.faults, self.pause)
        self.broker = FaultyBroker(self.faults, random, self.pause)
        self._images = AnyImage()
        self.closing = False
        """Whether users stop acting."""
        self.settling = 0
        """Confirmations under way. The provider promises how long they take, so the clock does not jump meanwhile."""
        self.answered: set[str] = set()
        """Names of the use cases that answered, and not only refused; with "again" after them if a key did."""
        self.deleted: set[UserId] = set()
        """Users who have deleted their account."""
        # What users know:
        self.users: list[UserId] = []
        self.styles: list[StyleId] = []
        self.orders: list[OrderId] = []
        self.comments: list[tuple[CommentId, GenerationId]] = []

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Let other actors and the clock continue."""

    @abstractmethod
    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A call: it ends when it is done, or when it crashes."""

    @abstractmethod
    def enter(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], *, ends: bool) -> None:
        """An actor that restarts after a crash; `ends` says whether it finishes when the stage closes."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether something in progress will still end."""

    @abstractmethod
    async def unfinished(self) -> dict[str, int]:
        """How many images, trainings, purchases and withdrawals have not ended, and how many tasks wait."""

    def settle_down(self) -> None:
        """Stop all faults, and let users stop acting."""
        self.faults.on = False
        self.closing = True

    def note(self, event: str) -> None:  # noqa: B027 (actors without a record do nothing)
        """Keep a record."""

    def note_answer(self, name: str, answer: object) -> None:
        """Of a use case."""
        self.answered.add(name)
        self.note(f"{name} answers {answer}")

    def ports(self) -> dict[str, object]:
        """What use cases get instead of the world's own."""
        return {
            "provider": self.provider,
            "broker": self.broker,
            "images": self._images,
            "limit": StylesPerArtist(4),
            "timeout": TIMEOUT,
            "grace": GRACE,
        }

    async def call(
        self, kind: type[Any], *args: object, refusals: tuple[type[DomainError], ...] = (), **kwargs: object
    ) -> Any:
        """The use case's result, or None for an expected refusal."""
        try:
            answer = await self.world.use_case(kind, **self.ports())(*args, **kwargs)
        except DomainError as refusal:
            if not self.expected(refusal, *refusals):
                raise
            self.note(f"{kind.__name__} refuses: {refusal.code}")
            return None
        self.note_answer(kind.__name__, answer)
        return answer

    def expected(self, refusal: DomainError, *refusals: type[DomainError]) -> bool:
        gone = GONE if self.deleted else ()
        return isinstance(refusal, (OutcomeUnknown, *gone, *refusals))


class AnyImage(Images):
    """Accepts everything as a different image: decoding is not simulated."""

    def __init__(self) -> None:
        self._numbers = count()

    async def inspect(self, content: BinaryIO, *, user: UserId) -> Image:
        content.seek(0)  # its twin may have read it
        digest = next(self._numbers).to_bytes(8)
        return Image("png", width=512, height=512, size=len(content.read()), digest=digest, content=content)

    async def reencode(self, content: BinaryIO, *, user: UserId, max_side: int | None = None) -> Image:
        image = await self.inspect(content, user=user)
        content.seek(0)
        return Image(image.format, image.width, image.height, image.size, image.digest, BytesIO(content.read()))

    async def shrink(self, content: BinaryIO, *, user: UserId, sides: tuple[int, ...]) -> list[Derivative]:
        copy = content.read()
        content.seek(0)
        return [Derivative(side, format, BytesIO(copy)) for side in sides for format in ("webp", "jpeg")]
