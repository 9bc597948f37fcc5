"""Every paged list: how to read it, and what adds and removes rows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from core.accounts.model import Session, User
from core.accounts.revoke_session import RevokeSession
from core.accounts.sign_in import token_hash
from core.audit.model import Action, AuditEntry, Operator
from core.community.delete_comment import DeleteComment
from core.community.post_comment import NewComment, PostComment
from core.community.unfollow_user import UnfollowUser
from core.generations.edit_generation import EditGeneration, GenerationChanges
from core.generations.views import FeedQuery, FeedSort, StatusFilter
from core.identifiers import CommentId
from core.notifications.mark_read import MarkRead
from core.paging import Page, PageRequest
from core.reports.model import ReportReason, ReportStatus, TargetType
from core.reports.submit_report import NewReport, SubmitReport
from core.reports.uphold_report import UpholdReport
from core.requester import Requester
from core.styles.delete_style import DeleteStyle
from core.styles.edit_style import EditStyle, StyleChanges
from core.styles.views import StyleQuery, StyleSort
from core.tokens.views import TransactionFilter
from core.withdrawals.model import WithdrawalStatus
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from tests.support.world import World, gift

Read = Callable[[PageRequest], Awaitable[Page[Any]]]
ENDLESS = 100
"""Pages."""


async def walk(read: Read, *, limit: int, between: Callable[[], Awaitable[object]] | None = None) -> list[list[Any]]:
    """The rows of all pages to the last, doing something between each and the next."""
    page = await read(PageRequest(limit))
    pages = [page.rows]
    while page.next is not None:
        if between:
            await between()
        page = await read(PageRequest(limit, page.next))
        pages.append(page.rows)
        assert len(pages) < ENDLESS
    return pages


def newest(row: Any) -> tuple[object, ...]:
    return (row.created_at, row.id)


@dataclass(frozen=True, slots=True)
class Listed:
    read: Read
    come: Callable[[], Awaitable[object]]
    """Add a row."""
    go: Callable[[Any], Awaitable[object]] | None = None
    """Remove a row from the list, by its id; None where rows never leave."""
    order: Callable[[Any], tuple[object, ...]] = newest
    """What rows are sorted by, descending unless `oldest_first`."""
    oldest_first: bool = False


async def _sessions(world: World) -> Listed:
    ann = await world.user("ann")

    async def come() -> None:
        at = world.clock.now()
        hashed = token_hash(world.secrets.token())
        session = Session.start(await world.ids.session(), hashed, ann.id, at=at, user_agent="")
        async with world.block() as ports:
            await ports.sessions.add(session)

    async def go(session_id: Any) -> None:
        await world.use_case(RevokeSession)(ann.id, session_id)

    return Listed(
        lambda page: world.read.accounts.sessions(ann.id, current=b"", at=world.clock.now(), page=page), come, go
    )


async def _styles(world: World, query: StyleQuery, *, own: bool = False) -> Listed:
    artists = [await world.artist("mia"), await world.artist("zoe")]
    await world.follow(artists[0], artists[1])
    owners: dict[Any, User] = {}
    number = count()

    async def come() -> None:
        at = next(number)
        owner = artists[0 if own else at % 2]
        style = await world.style(owner, f"Style {at}", tags=["river", "boat"])
        owners[style.id] = owner

    async def go(style_id: Any) -> None:
        if own:
            await world.use_case(DeleteStyle)(owners[style_id].id, style_id)
        else:
            await world.use_case(EditStyle)(owners[style_id].id, style_id, StyleChanges(is_active=False))

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        styles = world.read.styles
        return styles.list_own(artists[0].id, page=page) if own else styles.list(query, page=page)

    if query.sort is StyleSort.POPULAR:
        return Listed(read, come, go, lambda row: (row.artist.id == artists[1].id, *newest(row)))
    return Listed(read, come, go)


async def _feed(world: World, sort: FeedSort, narrowed: str = "") -> Listed:
    ann, bob = await world.user("ann", tokens=10_000), await world.user("bob")
    owners = [ann]
    style = await world.style(await world.artist("mia"))
    if narrowed == "following":
        owners.append(await world.user("cid", tokens=10_000))
    for owner in owners:
        await world.follow(bob, owner)
    query = FeedQuery(
        sort=sort,
        tags=["boat"] if narrowed == "tags" else [],
        user_id=ann.id if narrowed == "user" else None,
        style_id=style.id if narrowed == "style" else None,
        followed_by=bob.id if narrowed == "following" else None,
    )
    number = count()
    owner_of: dict[Any, User] = {}

    async def come() -> None:
        at = next(number)
        owner = owners[at % len(owners)]
        image = await world.image(owner, style, public=True, prompt_tags=["river", "boat"])
        owner_of[image.id] = owner
        if at % 3 == 0:
            await world.like(bob, image)

    async def go(image_id: Any) -> None:
        await world.use_case(EditGeneration)(owner_of[image_id].id, image_id, GenerationChanges(is_public=False))

    return Listed(
        lambda page: world.read.generations.feed(query, viewer=bob.id, page=page),
        come,
        go,
        newest if sort is FeedSort.RECENT else lambda row: (row.like_count, *newest(row)),
    )


async def _own_images(world: World, *, public: bool = False) -> Listed:
    ann, style = await world.user("ann", tokens=10_000), await world.style(await world.artist("mia"))
    status, is_public = (StatusFilter.COMPLETED, True) if public else (StatusFilter.ALL, None)

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        return world.read.generations.list_own(ann.id, status=status, is_public=is_public, page=page)

    async def go(image_id: Any) -> None:
        await world.use_case(EditGeneration)(ann.id, image_id, GenerationChanges(is_public=False))

    if public:
        return Listed(read, lambda: world.image(ann, style, public=True), go)
    return Listed(read, lambda: world.generation(ann, style))


async def _comments(world: World, *, replies: bool) -> Listed:
    ann, style = await world.user("ann", tokens=100), await world.style(await world.artist("mia"))
    image = await world.image(ann, style, public=True)
    parent = await world.use_case(PostComment)(ann.id, image.id, NewComment("First")) if replies else None

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        community = world.read.community
        if parent is not None:
            return community.replies(parent, viewer=None, page=page)
        return community.comments(image.id, viewer=None, page=page)

    async def go(comment_id: CommentId) -> None:
        await world.use_case(DeleteComment)(Requester(ann.id, ann.role, False), comment_id)

    async def come() -> None:
        await world.use_case(PostComment)(ann.id, image.id, NewComment("More", parent))

    return Listed(read, come, go, oldest_first=replies)


async def _following(world: World) -> Listed:
    ann, number = await world.user("ann"), count()

    async def come() -> None:
        await world.follow(ann, await world.user(f"user-{next(number)}"))

    return Listed(
        lambda page: world.read.community.following(ann.id, page=page),
        come,
        lambda followed: world.use_case(UnfollowUser)(ann.id, followed),
        lambda row: (row.followed_at, row.id),
    )


async def _notifications(world: World, *, unread_only: bool) -> Listed:
    ann, number = await world.user("ann"), count()

    async def come() -> None:
        await world.follow(await world.user(f"user-{next(number)}"), ann)

    async def read(page: PageRequest) -> Page[Any]:
        found, _ = await world.read.notifications.list(ann.id, unread_only=unread_only, page=page)
        return found

    return Listed(read, come, (lambda id: world.use_case(MarkRead)(ann.id, id)) if unread_only else None)


async def _transactions(world: World, type: TransactionFilter) -> Listed:
    tokens = 10_000 if type is TransactionFilter.GENERATION else 0  # given to start with, they are a row
    ann, style = await world.user("ann", tokens=tokens), await world.style(await world.artist("mia"))

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        return world.read.tokens.transactions(ann.id, type=type, page=page)

    async def come() -> None:
        async with world.block() as scope:
            await scope.ledger.transfer(gift(ann.id, 1, world))

    if type is TransactionFilter.GENERATION:
        return Listed(read, lambda: world.generation(ann, style))
    return Listed(read, come)


async def _withdrawals(world: World, *, own: bool = False, status: WithdrawalStatus | None = None) -> Listed:
    mia, admin = await world.artist("mia"), await world.user("eve")

    def read(page: PageRequest) -> Awaitable[Page[Any]]:
        withdrawals = world.read.withdrawals
        return withdrawals.list_own(mia.id, page=page) if own else withdrawals.list(status=status, page=page)

    async def come() -> None:
        """Of another artist each time, or decided before the next one."""
        artist = mia if own else await world.artist(f"artist-{world.ids.task()}")
        await world.earn(artist)
        requested = await world.use_case(RequestWithdrawal)(artist.id, 1)
        if own:
            await world.use_case(SettleWithdrawal)(Operator(admin.id), requested.id)

    return Listed(read, come, (lambda id: world.use_case(SettleWithdrawal)(Operator(admin.id), id)) if status else None)


async def _reports(world: World, *, status: ReportStatus | None = None) -> Listed:
    ann = await world.user("ann")

    async def come() -> None:
        reported = await world.user(f"user-{world.ids.task()}")
        new = NewReport(TargetType.USER, reported.id, ReportReason.SPAM)
        await world.use_case(SubmitReport)(ann.id, new)

    return Listed(
        lambda page: world.read.reports.list(status=status, page=page),
        come,
        (lambda id: world.use_case(UpholdReport)(Operator(None), id, reason="Spam.")) if status else None,
    )


async def _audit(world: World) -> Listed:
    number = count()

    async def come() -> None:
        async with world.block() as ports:
            at = world.clock.now()
            await ports.audit.add(AuditEntry(Operator(None), Action.TASKS_REDRIVEN, "user", str(next(number)), at))

    return Listed(lambda page: world.read.audit.list(page=page), come)


LISTS: dict[str, Callable[[World], Awaitable[Listed]]] = {
    "accounts.sessions": _sessions,
    "audit.list": _audit,
    "reports.list": _reports,
    "reports.list, open": lambda world: _reports(world, status=ReportStatus.OPEN),
    "styles.list": lambda world: _styles(world, StyleQuery()),
    "styles.list, popular": lambda world: _styles(world, StyleQuery(sort=StyleSort.POPULAR)),
    "styles.list, by tags": lambda world: _styles(world, StyleQuery(tags=["river", "boat"])),
    "styles.list_own": lambda world: _styles(world, StyleQuery(), own=True),
    "generations.feed": lambda world: _feed(world, FeedSort.RECENT),
    "generations.feed, popular": lambda world: _feed(world, FeedSort.POPULAR),
    "generations.feed, by tags": lambda world: _feed(world, FeedSort.RECENT, "tags"),
    "generations.feed, of a user": lambda world: _feed(world, FeedSort.RECENT, "user"),
    "generations.feed, of a style": lambda world: _feed(world, FeedSort.RECENT, "style"),
    "generations.feed, of followed users": lambda world: _feed(world, FeedSort.RECENT, "following"),
    "generations.feed, popular, of followed users": lambda world: _feed(world, FeedSort.POPULAR, "following"),
    "generations.list_own": _own_images,
    "generations.list_own, public": lambda world: _own_images(world, public=True),
    "community.comments": lambda world: _comments(world, replies=False),
    "community.replies": lambda world: _comments(world, replies=True),
    "community.following": _following,
    "notifications.list": lambda world: _notifications(world, unread_only=False),
    "notifications.list, unread": lambda world: _notifications(world, unread_only=True),
    "tokens.transactions": lambda world: _transactions(world, TransactionFilter.ALL),
    "tokens.transactions, of generations": lambda world: _transactions(world, TransactionFilter.GENERATION),
    "withdrawals.list": _withdrawals,
    "withdrawals.list, pending": lambda world: _withdrawals(world, status=WithdrawalStatus.PENDING),
    "withdrawals.list_own": lambda world: _withdrawals(world, own=True),
}
"""By the reader and its method, and what is asked of it."""
