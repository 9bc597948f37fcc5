from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from core.account_deletion.views import ExportReader, VersionRecord
from core.accounts.views import AccountsReader
from core.community.views import CommunityReader
from core.generations.views import GenerationsReader, StatusFilter
from core.identifiers import UserId
from core.notifications.views import NotificationsReader
from core.paging import Keyset, Page, PageRequest
from core.requester import Requester
from core.styles.views import StylesReader, StyleVersionsReader
from core.tokens.views import TokensReader, TransactionFilter
from core.withdrawals.views import WithdrawalsReader

BATCH = 100
"""Rows per page, and so in memory at once."""


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ExportAccount:
    """Export everything held about a user, section by section, one page in memory at a time.

    Each page is consistent in itself, not with the others. Technical data is left out: session tokens (stored as hashes
    only), replayable answers and unused uploads (both kept for a day), and rate-limit counts.
    """

    export: ExportReader
    accounts: AccountsReader
    styles: StylesReader
    versions: StyleVersionsReader
    generations: GenerationsReader
    community: CommunityReader
    tokens: TokensReader
    withdrawals: WithdrawalsReader
    notifications: NotificationsReader

    async def __call__(self, requester: Requester) -> dict[str, msgspec.Struct | AsyncIterator[object]]:
        """Return single records and row iterators by section name. Raises UserNotFound."""
        who = requester.id
        me, identity = await self.accounts.me(who), await self.export.identity(who)

        async def received(page: PageRequest) -> Page[object]:
            rows, _ = await self.notifications.list(who, unread_only=False, page=page)
            return Page(list(rows.rows), rows.next)

        return {
            "profile": me,
            "identity": identity,
            "sessions": self._sessions(who),
            "styles": self._styles(requester),
            "style_versions": self._versions(requester),
            "generations": _pages(
                lambda page: self.generations.list_own(who, status=StatusFilter.ALL, is_public=None, page=page)
            ),
            "likes": _numbered(lambda after: self.export.likes(who, after=after, limit=BATCH)),
            "comments": _numbered(lambda after: self.export.comments(who, after=after, limit=BATCH)),
            "reports": _numbered(lambda after: self.export.reports(who, after=after, limit=BATCH)),
            "following": _pages(lambda page: self.community.following(who, page=page)),
            "followers": _numbered(lambda after: self.export.followers(who, after=after, limit=BATCH)),
            "notifications": _pages(received),
            "transactions": _pages(lambda page: self.tokens.transactions(who, type=TransactionFilter.ALL, page=page)),
            "purchases": self._purchases(who),
            "withdrawals": _pages(lambda page: self.withdrawals.list_own(who, page=page)),
        }

    async def _styles(self, requester: Requester) -> AsyncIterator[object]:
        async for style in _pages(lambda page: self.styles.list_own(requester.id, page=page)):
            yield await self.styles.detail(style.id, viewer=requester)

    async def _versions(self, requester: Requester) -> AsyncIterator[object]:
        async for style in _pages(lambda page: self.styles.list_own(requester.id, page=page)):
            for version in reversed(await self.versions.list(style.id, viewer=requester)):
                detail = await self.versions.detail(style.id, version.version, viewer=requester)
                yield VersionRecord(style.id, detail)

    async def _sessions(self, user_id: UserId) -> AsyncIterator[object]:
        after = b""
        while rows := await self.export.sessions(user_id, after=after, limit=BATCH):
            for _, session in rows:
                yield session
            after, _ = rows[-1]

    async def _purchases(self, user_id: UserId) -> AsyncIterator[object]:
        after = ""
        while rows := await self.export.purchases(user_id, after=after, limit=BATCH):
            for purchase in rows:
                yield purchase
            after = rows[-1].order_id


async def _pages(read: Callable[[PageRequest], Awaitable[Page[Any]]]) -> AsyncIterator[Any]:
    after: Keyset | None = None
    while True:
        page = await read(PageRequest(limit=BATCH, after=after))
        for row in page.rows:
            yield row
        if page.next is None:
            return
        after = page.next


async def _numbered(read: Callable[[int], Awaitable[Sequence[Numbered]]]) -> AsyncIterator[Numbered]:
    after = 0
    while rows := await read(after):
        for row in rows:
            yield row
        after = rows[-1].number
