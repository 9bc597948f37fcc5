"""All ports of a service over one technology, and the users, styles and generations that most tests start from."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any

import dishka
import msgspec

from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.broker import MemoryBroker
from adapters.memory.clock import ManualClock
from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.payment_provider import MemoryPaymentProvider
from adapters.memory.secrets import SequentialSecrets
from adapters.pillow.images import PillowImages
from core.accounts.model import Artist, User
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.generations.model import AspectRatio, Generation
from core.identifiers import HoldId, OrderId, StyleId, UserId, VersionId
from core.live_events import StreamTiming
from core.ports.blob_store import Blob, BlobStore
from core.ports.books import Books
from core.ports.broker import Broker
from core.ports.changes import Changes
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters
from core.ports.idempotency import Answers
from core.ports.ids import Ids
from core.ports.images import Images
from core.ports.maintenance import Maintenance
from core.ports.orphaned_blobs import OrphanedBlobs
from core.ports.outbox import Outbox
from core.ports.payment_provider import PaymentProvider
from core.ports.secrets import Secrets
from core.purchases.model import Purchase, new_purchase
from core.purchases.packages import Package
from core.purchases.payment import Payment, PaymentState
from core.reports.model import ReportsToHide
from core.secret import Secret
from core.styles.model import License, Style
from core.styles.version import SAMPLES, Artwork, Rights, StyleVersion
from core.tasks.model import QUEUES, PendingTask, WebhookBase
from core.tasks.outcome import Failure
from core.terms import TERMS_VERSION
from core.tokens.model import ISSUANCE, Hold, PayoutTerms, PlatformFee, Transfer, TransferKind, earnings, wallet
from core.tokens.views import Balance
from entrypoints.settings import Settings, read_settings
from tests.support.inline import Inline
from tests.support.scope import Readers, Scope, UseCase, with_ports

TIME_LIMIT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Funds:
    """A balance without its sources."""

    user_id: UserId
    token_balance: int
    held_tokens: int
    earned_token_balance: int | None


SETTINGS = msgspec.structs.replace(read_settings({}), api_base_url="https://api.example", secret_key=Secret("a secret"))


class World(ABC):
    """All ports over one database, wired as in the service, with a clock that only tests advance."""

    ids: Ids
    outbox: Outbox
    answers: Answers
    changes: Changes
    read: Readers
    books: Books
    orphans: OrphanedBlobs
    maintenance: Maintenance

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.secrets = SequentialSecrets()
        self.blobs = MemoryBlobStore(self.clock)
        self.payments = MemoryPaymentProvider()
        self.images = PillowImages(runner=Inline())
        self.webhooks = WebhookBase(SETTINGS.api_base_url)
        self.fee = PlatformFee(0)
        self.reports_to_hide = ReportsToHide(0)
        self.payouts = PayoutTerms(timedelta(), minimum=1)
        self.pace = StreamTiming(timedelta(hours=1))
        self.given: dict[Any, object] = {
            Settings: SETTINGS,
            Clock: self.clock,
            Secrets: self.secrets,
            BlobStore: self.blobs,
            PaymentProvider: self.payments,
            Images: self.images,
            Broker: MemoryBroker(),
            DeadLetters: MemoryDeadLetters(),
            World: self,
        }

    def wire(self, parts: dishka.Container, given: Mapping[Any, object]) -> None:
        """Over a technology, see `parts_over`; `given` is what it takes from this world, besides `self.given`."""
        self.parts = parts(self.given | dict(given), scope=dishka.Scope.APP)
        self.ids = self.parts.get(Ids)
        self.outbox = self.parts.get(Outbox)
        self.answers = self.parts.get(Answers)
        self.changes = self.parts.get(Changes)
        self.books = self.parts.get(Books)
        self.orphans = self.parts.get(OrphanedBlobs)
        self.maintenance = self.parts.get(Maintenance)
        self.read = self.parts().get(Readers)

    def scope(self) -> Scope:
        """The ports of one more call."""
        return self.parts().get(Scope)

    @asynccontextmanager
    async def block(self) -> AsyncIterator[Scope]:
        """A transaction on ports of its own, with a time limit in case a lock is never released."""
        scope = self.scope()
        async with asyncio.timeout(TIME_LIMIT), scope.transaction:
            yield scope

    @abstractmethod
    async def wait_until_listening(self) -> None:
        """Return once the listener is connected, so that a notification is due to a change and not to a reconnect."""

    @abstractmethod
    async def lock_is_awaited(self) -> bool:
        """Whether a transaction is waiting for a lock now."""

    def use_case(self, kind: type[UseCase], scope: Scope | None = None, /, **ports: object) -> UseCase:
        """The use case in a scope, by default one of its own; `ports`, by the names of its fields, come instead."""
        return with_ports((scope or self.scope()).parts.get(kind), ports)

    async def balance(self, user_id: UserId) -> Balance:
        """A user's balance, by the world's payout terms."""
        return await self.read.tokens.balance(user_id, earned_until=self.payouts.earned_until(self.clock.now()))

    async def funds(self, user_id: UserId) -> Funds:
        """A user's tokens, whatever their sources."""
        balance = await self.balance(user_id)
        return Funds(user_id, balance.token_balance, balance.held_tokens, balance.earned_token_balance)

    async def user(self, username: str = "ann", *, tokens: int = 0, bought: int = 0) -> User:
        """A user with `tokens` of bonus in the wallet, and others `bought`."""
        now = self.clock.now()
        user = User(
            id=await self.ids.user(),
            provider="test",
            subject=username,
            email=f"{username}@example.com",
            username=username,
            created_at=now,
            updated_at=now,
        )
        async with self.block() as scope:
            await scope.users.add(user)
            await scope.ledger.open(wallet(user.id))
            if tokens:
                await scope.ledger.transfer(gift(user.id, tokens, self))
        if bought:
            await self.buy(user, bought)
        return user

    async def admin(self, username: str = "eve") -> User:
        user = await self.user(username)
        admin = user.become_admin(at=self.clock.now())
        async with self.block() as scope:
            await scope.users.save(admin)
        return admin

    async def buy(self, user: User, tokens: int) -> Purchase:
        """A paid purchase of so many tokens, credited."""
        package = Package("any", tokens, total_price=tokens * 100, price_per_token=100, currency_code="KRW")
        purchase = new_purchase(OrderId(str(self.ids.task())), user.id, package, at=self.clock.now())
        payment = Payment(
            f"payment of {purchase.order_id}", purchase.order_id, PaymentState.CAPTURED, Decimal(tokens * 100), "KRW"
        )
        self.payments.payments[payment.key] = payment
        paid = purchase.apply(payment, at=self.clock.now())
        async with self.block() as scope:
            await scope.purchases.add(purchase)
            await scope.purchases.save(paid)
            await scope.ledger.transfer(paid.credit())
        return paid

    async def earn(self, artist: User, tokens: int = 30, style: Style | None = None) -> User:
        """Earn withdrawable tokens: a new user, who is returned, buys tokens and pays for an image."""
        style = style or await self.style(artist, f"Style {self.ids.task()}")
        fan = await self.user(f"fan-{self.ids.task()}", bought=tokens)
        await self.image(fan, style, consumed_tokens=tokens)
        self.clock.advance(self.payouts.delay + timedelta(seconds=1))
        return fan

    async def artist(self, username: str = "mia", *, tokens: int = 0, bought: int = 0) -> User:
        """An artist with a signature in the store."""
        user = await self.user(username, tokens=tokens, bought=bought)
        key = f"signatures/{user.id}/signature.png"
        await self.blobs.put(Blob(key, BytesIO(b"a signature"), "image/png"))
        artist = Artist(user.id, username.title(), f"{username}@example.com", key, self.clock.now())
        async with self.block() as scope:
            await scope.users.add_artist(artist)
            await scope.users.save(user.become_artist(artist.verified_email, at=self.clock.now()))
            await scope.ledger.open(earnings(user.id))
            return await scope.users.of_id(user.id)

    async def untrained_style(self, artist: User, name: str = "Ink", **changes: Any) -> Style:
        """A style that waits for its training; `changes` are fields of Style."""
        now = self.clock.now()
        style_id = await self.ids.style()
        style = Style(
            id=style_id,
            artist_id=artist.id,
            name=name,
            description="Black on white",
            generation_cost_tokens=30,
            license_type=License.PERSONAL,
            tags=[name.lower()],
            version_id=VersionId(style_id),
            created_at=now,
            updated_at=now,
        )
        style = msgspec.structs.replace(style, **changes)
        version = self.first_version(style)
        async with self.block() as scope:
            await scope.styles.add(style, version, [await self._artwork(style, version, index) for index in range(10)])
        return style

    def first_version(self, style: Style) -> StyleVersion:
        """Waiting for its training, and not stored yet."""
        now = self.clock.now()
        rights = Rights(now, explicit=True)
        return StyleVersion(style.version_id, style.id, 1, self.ids.task(), now, now, rights)

    async def style(self, artist: User, name: str = "Ink", **changes: Any) -> Style:
        """A trained style."""
        style = await self.untrained_style(artist, name, **changes)
        async with self.block() as scope:
            trained = await self._trained(scope, await scope.versions.of_id(style.version_id))
            style = style.use(trained, [], at=self.clock.now())
            await scope.styles.save(style)
        return style

    async def version(self, style: Style, *, trained: bool = True) -> StyleVersion:
        """The next version of a style, not in use; it has artworks of its own."""
        now, rights = self.clock.now(), Rights(self.clock.now(), explicit=True)
        version_id = await self.ids.version()
        async with self.block() as scope:
            number = (await scope.versions.latest(style.id)).number + 1
            version = StyleVersion(version_id, style.id, number, self.ids.task(), now, now, rights)
            await scope.versions.add(version)
            artworks = [await self._artwork(style, version, index) for index in range(10)]
            await scope.versions.add_artworks(version, artworks)
            return await self._trained(scope, version) if trained else version

    async def _trained(self, scope: Scope, version: StyleVersion) -> StyleVersion:
        path = f"gs://models/{version.id}.safetensors"
        version = version.complete_training(at=self.clock.now(), model_path=path, metric=None)
        await scope.versions.save(version)
        return version

    async def training_of(self, style_id: StyleId) -> StyleVersion:
        """The latest version of the style, as it is stored."""
        async with self.block() as scope:
            return await scope.versions.latest(style_id)

    async def unsaved_generation(self, owner: User, style: Style, **changes: Any) -> Generation:
        """A queued generation that is not stored yet; `changes` are fields of Generation."""
        now = self.clock.now()
        generation = Generation(
            id=await self.ids.generation(),
            owner_id=owner.id,
            style_id=style.id,
            artist_id=style.artist_id,
            consumed_tokens=style.generation_cost_tokens,
            license_type=style.license_type,
            license_version=TERMS_VERSION,
            style_version=style.version,
            hold_id=await self.ids.hold(),
            aspect_ratio=AspectRatio.SQUARE,
            seed=None,
            prompt_tags=["woman", "portrait"],
            description=None,
            task_id=self.ids.task(),
            created_at=now,
            updated_at=now,
        )
        return msgspec.structs.replace(generation, **changes)

    async def generation(self, owner: User, style: Style, **changes: Any) -> Generation:
        """A queued generation with its price held."""
        generation = await self.unsaved_generation(owner, style, **changes)
        async with self.block() as scope:
            await scope.ledger.hold(hold_for(generation))
            await scope.generations.add(generation)
        return generation

    async def image(self, owner: User, style: Style, *, public: bool = False, **changes: Any) -> Generation:
        """A completed image, paid for."""
        generation = await self.generation(owner, style, **changes)
        at = self.clock.now()
        generation = generation.complete(
            at=at,
            result_key=f"generations/gen-{generation.id}.png",
            metadata={},
            fee_tokens=self.fee.of(generation.consumed_tokens),
        )
        if public:
            key = f"public/generations/{generation.id}/image.png"
            generation = generation.edit(at=at, description=generation.description, public_key=key)
        async with self.block() as scope:
            await scope.generations.save(generation)
            await scope.ledger.post(generation.hold_id, at=at, fee=generation.fee_tokens)
        return generation

    async def failed_generation(self, owner: User, style: Style, **changes: Any) -> Generation:
        """A failed generation with its hold voided."""
        generation = await self.generation(owner, style, **changes)
        at = self.clock.now()
        generation = generation.fail(at=at, failure=Failure("GENERATION_ERROR", "The model made no image."))
        async with self.block() as scope:
            await scope.generations.save(generation)
            await scope.ledger.void(generation.hold_id, at=at)
        return generation

    async def follow(self, follower: User, followed: User) -> None:
        await self.use_case(FollowUser)(follower.id, followed.id)

    async def like(self, user: User, image: Generation) -> None:
        await self.use_case(LikeGeneration)(user.id, image.id)

    async def tasks(self, *, within: timedelta = timedelta()) -> list[PendingTask]:
        """What the outbox has that is due by now, or within some time, queue by queue; it stays there."""
        tasks: list[PendingTask] = []
        for queue in QUEUES:
            async with self.outbox.claim(queue, now=self.clock.now() + within, limit=100) as batch:
                tasks += batch.tasks
        return tasks

    async def publish(self, *, within: timedelta = timedelta()) -> None:
        """Remove tasks that are due from the outbox, as a confirmed publish does."""
        for queue in QUEUES:
            async with self.outbox.claim(queue, now=self.clock.now() + within, limit=100) as batch:
                await batch.published([task.task_id for task in batch.tasks])

    async def _artwork(self, style: Style, version: StyleVersion, index: int) -> Artwork:
        return Artwork(
            id=await self.ids.artwork(),
            version_id=version.id,
            index=index,
            key=f"training/{version.id}/image_{index}.jpg",
            format="jpeg",
            width=512,
            height=768,
            size=1000 + index,
            digest=sha256(f"{version.id}/{index}".encode()).digest(),
            caption=f"number {index}" if index % 2 else None,
            tags=[*style.tags[:1], f"number {index}"],
            sample_key=f"samples/{version.id}/image_{index}.jpg" if index < SAMPLES else None,
        )


def gift(to: UserId, tokens: int, world: World, *, reference: str | None = None) -> Transfer:
    """Tokens from the platform."""
    reference = reference or f"gift:{world.ids.task()}"
    return Transfer(reference, TransferKind.BONUS, ISSUANCE, wallet(to), tokens, world.clock.now())


def hold_for(generation: Generation) -> Hold:
    return Hold(
        id=HoldId(generation.hold_id),
        reference=f"generation:{generation.id}",
        kind=TransferKind.GENERATION,
        debit=wallet(generation.owner_id),
        credit=earnings(generation.artist_id),
        amount=generation.consumed_tokens,
        at=generation.created_at,
        generation_id=generation.id,
    )
