from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import TypeVar

import msgspec

from core.accounts.model import Artist, Session, User
from core.artwork_uploads.model import ArtworkCheck, ArtworkUpload
from core.audit.model import AuditEntry
from core.community.model import Comment
from core.generations.model import Generation
from core.identifiers import (
    CommentId,
    GenerationId,
    HoldId,
    NotificationId,
    OrderId,
    ReportId,
    StyleId,
    TransferId,
    UploadId,
    UserId,
    VersionId,
    WithdrawalId,
)
from core.notifications.model import Notification
from core.ports.idempotency import Answer, Call
from core.ports.orphaned_blobs import Walk
from core.purchases.model import Purchase
from core.reports.model import Report
from core.styles.model import Style
from core.styles.version import Artwork, StyleVersion
from core.tasks.model import PendingTask
from core.tokens.model import FEES, ISSUANCE, Account, Sale, TransferKind
from core.tokens.reconciliation import Reconciliation
from core.withdrawals.model import Withdrawal

Key = TypeVar("Key")
Row = TypeVar("Row")
Entity = TypeVar("Entity", bound=msgspec.Struct)


class Funds(msgspec.Struct, frozen=True):
    balance: int = 0
    """Transfers in less transfers out, without holds."""
    held: int = 0
    """The part of the balance that is held."""
    paid: int = 0
    """The part of the balance that was bought; of earnings, by others than the artist."""
    held_paid: int = 0
    """The part of `held` in withdrawals and refunds, which take paid tokens only."""
    debt: int = 0
    """Spent tokens whose money was taken back."""

    @property
    def available(self) -> int:
        return self.balance - self.held

    @property
    def bonus(self) -> int:
        return self.balance - self.paid

    @property
    def available_paid(self) -> int:
        """What nothing else is to be paid with: open holds spend it when bonus tokens are not enough."""
        return self.paid - self.held_paid - max(0, (self.held - self.held_paid) - self.bonus)

    @property
    def available_bonus(self) -> int:
        """What open holds do not spend, which spend bonus tokens first."""
        return max(0, self.bonus - (self.held - self.held_paid))


class Phase(Enum):
    """The kind of a ledger entry."""

    MOVE = "move"
    HOLD = "hold"
    POST = "post"
    VOID = "void"


class Entry(msgspec.Struct, frozen=True):
    """One ledger entry. A hold and its resolution are one entry each."""

    id: TransferId
    reference: str
    kind: TransferKind
    debit: Account
    credit: Account
    amount: int
    at: datetime
    paid: int | None = None
    """How many of the tokens are paid ones; None for holds and voids."""
    phase: Phase = Phase.MOVE
    memo: str | None = None
    sale: Sale | None = None
    generation_id: GenerationId | None = None
    hold_id: HoldId | None = None
    """The hold that it resolves."""

    @property
    def own(self) -> bool:
        """Whether it pays for a user's own style."""
        return self.kind is TransferKind.GENERATION and self.debit.owner == self.credit.owner

    @property
    def withdrawable(self) -> int:
        """The part of a payment to an artist that they can withdraw some day."""
        return 0 if self.own or self.paid is None else self.paid

    def earned_by(self, artist_id: UserId) -> int:
        """What it adds to what the artist can withdraw: payments of others, less fees."""
        if self.kind is TransferKind.GENERATION and self.credit.owner == artist_id:
            return self.withdrawable
        return -(self.paid or 0) if self.kind is TransferKind.FEE and self.debit.owner == artist_id else 0


class QueuedTask(msgspec.Struct, frozen=True):
    task: PendingTask
    due: datetime


class Uses(msgspec.Struct, frozen=True):
    """The usage of a style."""

    images: int = 0
    tokens: int = 0
    """Tokens earned."""


class KeptNotification(msgspec.Struct, frozen=True):
    notification: Notification
    read_at: datetime | None = None


class KeptAnswer(msgspec.Struct, frozen=True):
    call: Call
    answer: Answer


@dataclass(frozen=True, slots=True)
class Tables:
    """All stored rows. A unique constraint is a table from the unique value to its owner."""

    users: MutableMapping[UserId, User] = field(default_factory=dict)
    identities: MutableMapping[tuple[str, str], UserId] = field(default_factory=dict)
    usernames: MutableMapping[str, UserId] = field(default_factory=dict)
    artists: MutableMapping[UserId, Artist] = field(default_factory=dict)
    artist_names: MutableMapping[str, UserId] = field(default_factory=dict)
    """By the name's `unique_key`."""
    erased: MutableMapping[bytes, None] = field(default_factory=dict)
    sessions: MutableMapping[bytes, Session] = field(default_factory=dict)
    funds: MutableMapping[Account, Funds] = field(default_factory=lambda: {ISSUANCE: Funds(), FEES: Funds()})
    entries: MutableMapping[TransferId, Entry] = field(default_factory=dict)
    references: MutableMapping[str, TransferId] = field(default_factory=dict)
    resolutions: MutableMapping[HoldId, TransferId] = field(default_factory=dict)
    purchases: MutableMapping[OrderId, Purchase] = field(default_factory=dict)
    payments: MutableMapping[str, OrderId] = field(default_factory=dict)
    withdrawals: MutableMapping[WithdrawalId, Withdrawal] = field(default_factory=dict)
    reconciliations: MutableMapping[int, Reconciliation] = field(default_factory=dict)
    styles: MutableMapping[StyleId, Style] = field(default_factory=dict)
    style_versions: MutableMapping[VersionId, StyleVersion] = field(default_factory=dict)
    artworks: MutableMapping[VersionId, tuple[Artwork, ...]] = field(default_factory=dict)
    artwork_uploads: MutableMapping[UploadId, ArtworkUpload] = field(default_factory=dict)
    artwork_checks: MutableMapping[VersionId, ArtworkCheck] = field(default_factory=dict)
    claims: MutableMapping[VersionId, datetime] = field(default_factory=dict)
    """Until when a check of artworks is claimed."""
    portfolios: MutableMapping[UserId, tuple[str, ...]] = field(default_factory=dict)
    """Comparison keys of the names of an artist's styles."""
    generations: MutableMapping[GenerationId, Generation] = field(default_factory=dict)
    past_uses: MutableMapping[StyleId, Uses] = field(default_factory=dict)
    notifications: MutableMapping[NotificationId, KeptNotification] = field(default_factory=dict)
    reasons: MutableMapping[tuple[UserId, str], NotificationId] = field(default_factory=dict)
    follows: MutableMapping[tuple[UserId, UserId], datetime] = field(default_factory=dict)
    likes: MutableMapping[tuple[GenerationId, UserId], datetime] = field(default_factory=dict)
    comments: MutableMapping[CommentId, Comment] = field(default_factory=dict)
    reports: MutableMapping[ReportId, Report] = field(default_factory=dict)
    answers: MutableMapping[tuple[UserId, str], KeptAnswer] = field(default_factory=dict)
    outbox: MutableMapping[int, QueuedTask] = field(default_factory=dict)
    discarded: MutableMapping[str, None] = field(default_factory=dict)
    audit: MutableMapping[int, AuditEntry] = field(default_factory=dict)
    walks: MutableMapping[int, Walk] = field(default_factory=dict)

    def overlaid(self) -> "Tables":
        """The same rows with an overlay for changes; these tables change only when it is settled."""
        return Tables(*(Overlay(getattr(self, table.name)) for table in fields(self)))

    def settle(self) -> None:
        """Apply the overlay's changes to the tables below; cannot fail half way."""
        for table in fields(self):
            getattr(self, table.name).settle()


class Overlay(MutableMapping[Key, Row]):
    """A mapping with an overlay of changes."""

    __slots__ = ("_below", "_put", "_removed")

    def __init__(self, below: MutableMapping[Key, Row]) -> None:
        self._below = below
        self._put: dict[Key, Row] = {}
        self._removed: set[Key] = set()

    def __getitem__(self, key: Key) -> Row:
        if key in self._put:
            return self._put[key]
        if key in self._removed:
            raise KeyError(key)
        return self._below[key]

    def __setitem__(self, key: Key, row: Row) -> None:
        self._put[key] = row

    def __delitem__(self, key: Key) -> None:
        if key not in self:
            raise KeyError(key)
        self._put.pop(key, None)
        self._removed.add(key)

    def __iter__(self) -> Iterator[Key]:
        yield from (key for key in self._below if key not in self._put and key not in self._removed)
        yield from self._put

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def settle(self) -> None:
        for key in self._removed:
            self._below.pop(key, None)
        self._below.update(self._put)


def deep_copy(entity: Entity) -> Entity:
    """A deep copy: stored values change by writes only."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(entity), type=type(entity))
