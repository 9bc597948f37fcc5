"""A service's ports in one hand, over whatever adapters, and the people and things that most tests begin with."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from io import BytesIO
from typing import Any, TypeVar, cast

import msgspec

from adapters.memory.accounts import MemoryAccountsReader, MemorySessions, MemoryUsers
from adapters.memory.backlog import MemoryBacklogReader
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.books import MemoryBooks
from adapters.memory.clock import ManualClock
from adapters.memory.community import MemoryComments, MemoryCommunityReader, MemoryFollows, MemoryLikes
from adapters.memory.database import MemoryDatabase
from adapters.memory.export import MemoryExportReader
from adapters.memory.generations import MemoryGenerations, MemoryGenerationsReader
from adapters.memory.idempotency import MemoryIdempotency
from adapters.memory.ids import MemoryIds
from adapters.memory.notifications import MemoryNotifications, MemoryNotificationsReader, MemoryNotifier
from adapters.memory.orphaned_blobs import MemoryOrphanedBlobs
from adapters.memory.payment_provider import MemoryPaymentProvider
from adapters.memory.purchases import MemoryPurchases, MemoryPurchasesReader
from adapters.memory.search import MemorySearchReader, MemoryTagCounts
from adapters.memory.secrets import SequentialSecrets
from adapters.memory.styles import MemoryStyles, MemoryStylesReader
from adapters.memory.tasks import MemoryOutbox, MemoryTaskQueue
from adapters.memory.tokens import MemoryTokenLedger, MemoryTokensReader
from adapters.memory.traces import MemoryTraces
from adapters.memory.transaction import MemoryTransaction
from adapters.memory.unwanted_blobs import MemoryUnwantedBlobs
from adapters.memory.withdrawals import MemoryWithdrawals, MemoryWithdrawalsReader
from adapters.pillow.images import PillowImages
from core.accounts.erase_leaver import EraseLeaver
from core.accounts.export import ExportReader
from core.accounts.model import Artist, User
from core.accounts.repository import Sessions, Traces, Users
from core.accounts.sign_in import IdentityKey
from core.accounts.views import AccountsReader
from core.blobs.remove_unwanted_blobs import RemoveUnwantedBlobs
from core.community.follow_user import FollowUser
from core.community.like_generation import LikeGeneration
from core.community.repository import Comments, Follows, Likes
from core.community.views import CommunityReader
from core.generations.fail_generation import FailGeneration
from core.generations.model import AspectRatio, Generation
from core.generations.repository import Generations
from core.generations.views import GenerationsReader
from core.identifiers import HoldId, UserId
from core.live_events import Pace, Watch
from core.notifications.repository import Notifications
from core.notifications.views import NotificationsReader
from core.ports.blob_store import Blob
from core.ports.books import Books
from core.ports.changes import Changes
from core.ports.idempotency import Idempotency
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.orphaned_blobs import OrphanedBlobs
from core.ports.outbox import Outbox
from core.ports.task_queue import TaskQueue
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.ports.unwanted_blobs import UnwantedBlobs
from core.purchases.record_payment import RecordPayment
from core.purchases.repository import Purchases
from core.purchases.views import PurchasesReader
from core.search.repository import TagCounts
from core.search.views import SearchReader
from core.styles.fail_training import FailTraining
from core.styles.model import SAMPLES, Artwork, License, Style
from core.styles.repository import Styles
from core.styles.views import StylesReader
from core.tasks.model import PendingTask, WebhookBase
from core.tasks.outcome import Failure
from core.tasks.views import BacklogReader
from core.tokens.model import ISSUANCE, Hold, PlatformFee, Transfer, TransferKind, earnings, wallet
from core.tokens.views import TokensReader
from core.withdrawals.repository import Withdrawals
from core.withdrawals.views import WithdrawalsReader

UseCase = TypeVar("UseCase")

PATIENCE = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The ports of one call of a use case, named as the use cases name them: they share the transaction."""

    transaction: Transaction
    users: Users
    sessions: Sessions
    ledger: TokenLedger
    styles: Styles
    generations: Generations
    queue: TaskQueue
    notifier: Notifier
    notifications: Notifications
    purchases: Purchases
    follows: Follows
    likes: Likes
    comments: Comments
    withdrawals: Withdrawals
    unwanted: UnwantedBlobs
    traces: Traces
    tag_counts: TagCounts


@dataclass(frozen=True, slots=True)
class Readers:
    accounts: AccountsReader
    tokens: TokensReader
    styles: StylesReader
    generations: GenerationsReader
    notifications: NotificationsReader
    purchases: PurchasesReader
    search: SearchReader
    community: CommunityReader
    withdrawals: WithdrawalsReader
    backlog: BacklogReader
    export: ExportReader


class World(ABC):
    """All ports over one database, and a clock that stands still until it is moved."""

    ids: Ids
    outbox: Outbox
    idempotency: Idempotency
    changes: Changes
    read: Readers
    books: Books
    orphans: OrphanedBlobs

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.secrets = SequentialSecrets()
        self.blobs = MemoryBlobStore(self.clock)
        self.payments = MemoryPaymentProvider()
        self.images = PillowImages()
        self.webhooks = WebhookBase("https://api.example")
        self.fee = PlatformFee(0)
        self.pace = Pace(timedelta(hours=1))

    @abstractmethod
    def scope(self) -> Scope:
        """The ports of one more call."""

    @asynccontextmanager
    async def block(self) -> AsyncIterator[Scope]:
        """One block on ports of its own. It does not wait for ever, for a lock that was never given back."""
        scope = self.scope()
        async with asyncio.timeout(PATIENCE), scope.transaction:
            yield scope

    @abstractmethod
    async def hear(self) -> None:
        """Return when changes come by, so that none is told of only because it might have been missed."""

    @abstractmethod
    async def lock_is_awaited(self) -> bool:
        """Whether somebody is waiting for a lock right now."""

    def use_case(self, kind: type[UseCase], **ports: object) -> UseCase:
        """The use case on ports of its own; `ports` come instead of the world's."""
        scope = self.scope()
        places = {name: getattr(scope, name) for name in scope.__slots__}
        own = {
            "ids": self.ids,
            "outbox": self.outbox,
            "places": self.read.generations,
            "clock": self.clock,
            "secrets": self.secrets,
            "blobs": self.blobs,
            "images": self.images,
            "webhooks": self.webhooks,
            "books": self.books,
            "orphans": self.orphans,
            "fee": self.fee,
            "identity_key": IdentityKey(b"a key"),
            "provider": self.payments,
            "watch": Watch(self.changes, scope.sessions, self.clock, self.pace),
            "record": RecordPayment(scope.users, scope.purchases, scope.ledger, scope.transaction, self.clock),
        }
        own |= {
            "fail_generation": FailGeneration(**_wanted(FailGeneration, places | own)),
            "fail_training": FailTraining(**_wanted(FailTraining, places | own)),
            "remove_unwanted": RemoveUnwantedBlobs(**_wanted(RemoveUnwantedBlobs, places | own | ports)),
        }
        own |= {
            "erase": EraseLeaver(**_wanted(EraseLeaver, places | own | ports)),
        }
        return kind(**_wanted(kind, places | own | ports))

    async def user(self, username: str = "ann", *, tokens: int = 0) -> User:
        """Somebody with a wallet, and `tokens` in it."""
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
        return user

    async def artist(self, username: str = "mia", *, tokens: int = 0) -> User:
        """An artist with a signature in the store."""
        user = await self.user(username, tokens=tokens)
        key = f"signatures/{user.id}/signature.png"
        await self.blobs.put(Blob(key, BytesIO(b"a signature"), "image/png"))
        artist = Artist(user.id, username.title(), f"{username}@example.com", key, self.clock.now())
        async with self.block() as scope:
            await scope.users.add_artist(artist)
            await scope.users.save(user.became_artist(at=self.clock.now()))
            await scope.ledger.open(earnings(user.id))
            return await scope.users.of_id(user.id)

    async def untrained_style(self, artist: User, name: str = "Ink", **changes: Any) -> Style:
        """A style that waits for its training; `changes` are fields of Style."""
        now = self.clock.now()
        style = Style(
            id=await self.ids.style(),
            artist_id=artist.id,
            name=name,
            description="Black on white",
            generation_cost_tokens=30,
            license_type=License.PERSONAL,
            tags=[name.lower()],
            task_id=self.ids.task(),
            created_at=now,
            updated_at=now,
        )
        style = msgspec.structs.replace(style, **changes)
        async with self.block() as scope:
            await scope.styles.add(style, [await self._artwork(style, index) for index in range(10)])
        return style

    async def style(self, artist: User, name: str = "Ink", **changes: Any) -> Style:
        """A trained style."""
        style = await self.untrained_style(artist, name, **changes)
        trained = style.trained(at=self.clock.now(), model_path=f"gs://models/{style.id}.safetensors", metric=None)
        async with self.block() as scope:
            await scope.styles.save(trained)
        return trained

    async def unsaved_generation(self, owner: User, style: Style, **changes: Any) -> Generation:
        """A queued image that nobody knows of yet; `changes` are fields of Generation."""
        now = self.clock.now()
        generation = Generation(
            id=await self.ids.generation(),
            owner_id=owner.id,
            style_id=style.id,
            artist_id=style.artist_id,
            consumed_tokens=style.generation_cost_tokens,
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
        """A queued image with its price on hold."""
        generation = await self.unsaved_generation(owner, style, **changes)
        async with self.block() as scope:
            await scope.ledger.hold(hold_for(generation))
            await scope.generations.add(generation)
        return generation

    async def image(self, owner: User, style: Style, *, public: bool = False, **changes: Any) -> Generation:
        """A completed image, paid for."""
        generation = await self.generation(owner, style, **changes)
        at = self.clock.now()
        generation = generation.completed(
            at=at,
            result_key=f"results/{generation.id}.png",
            metadata={},
            fee_tokens=self.fee.of(generation.consumed_tokens),
        )
        if public:
            key = f"public/generations/{generation.id}/image.png"
            generation = generation.edited(at=at, description=generation.description, public_key=key)
        async with self.block() as scope:
            await scope.generations.save(generation)
            await scope.ledger.post(generation.hold_id, at=at, fee=generation.fee_tokens)
        return generation

    async def failed_generation(self, owner: User, style: Style, **changes: Any) -> Generation:
        """An image that was given up, its tokens given back."""
        generation = await self.generation(owner, style, **changes)
        at = self.clock.now()
        generation = generation.failed(at=at, failure=Failure("GENERATION_ERROR", "The model made no image."))
        async with self.block() as scope:
            await scope.generations.save(generation)
            await scope.ledger.void(generation.hold_id, at=at)
        return generation

    async def follow(self, follower: User, followed: User) -> None:
        await self.use_case(FollowUser)(follower.id, followed.id)

    async def like(self, user: User, image: Generation) -> None:
        await self.use_case(LikeGeneration)(user.id, image.id)

    async def tasks(self, *, within: timedelta = timedelta()) -> list[PendingTask]:
        """What the outbox has that is due by now, or within some time; it stays there."""
        async with self.outbox.claim(now=self.clock.now() + within, limit=100) as batch:
            return batch.tasks

    async def _artwork(self, style: Style, index: int) -> Artwork:
        return Artwork(
            id=await self.ids.artwork(),
            style_id=style.id,
            index=index,
            key=f"training/{style.id}/image_{index}.jpg",
            format="jpeg",
            width=512,
            height=768,
            size=1000 + index,
            caption=f"number {index}" if index % 2 else None,
            tags=[*style.tags[:1], f"number {index}"],
            sample_key=f"samples/{style.id}/image_{index}.jpg" if index < SAMPLES else None,
        )


class MemoryWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase()
        self.ids = MemoryIds(self.database)
        self.idempotency = MemoryIdempotency(self.database, self.clock)
        self.outbox = self._outbox = MemoryOutbox(self.database)
        self.changes = self.database.changes
        self.read = Readers(
            MemoryAccountsReader(self.database, self.blobs),
            MemoryTokensReader(self.database),
            MemoryStylesReader(self.database, self.blobs),
            MemoryGenerationsReader(self.database, self.blobs),
            MemoryNotificationsReader(self.database, self.blobs),
            MemoryPurchasesReader(self.database),
            MemorySearchReader(self.database, self.blobs),
            MemoryCommunityReader(self.database, self.blobs),
            MemoryWithdrawalsReader(self.database),
            MemoryBacklogReader(self.database),
            MemoryExportReader(self.database),
        )
        self.books = MemoryBooks(self.database)
        self.orphans = MemoryOrphanedBlobs(self.database)

    def scope(self) -> Scope:
        transaction = MemoryTransaction(self.database)
        return Scope(
            transaction,
            MemoryUsers(transaction),
            MemorySessions(transaction),
            MemoryTokenLedger(transaction),
            MemoryStyles(transaction),
            MemoryGenerations(transaction),
            MemoryTaskQueue(transaction, self._outbox),
            MemoryNotifier(transaction),
            MemoryNotifications(transaction),
            MemoryPurchases(transaction),
            MemoryFollows(transaction),
            MemoryLikes(transaction),
            MemoryComments(transaction),
            MemoryWithdrawals(transaction),
            MemoryUnwantedBlobs(transaction),
            MemoryTraces(transaction),
            MemoryTagCounts(),
        )

    async def hear(self) -> None:
        return

    async def lock_is_awaited(self) -> bool:
        return self.database.locks.awaited


def _wanted(kind: type[object], known: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: known[field.name] for field in fields(cast("Any", kind))}


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
