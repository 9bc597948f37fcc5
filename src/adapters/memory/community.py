from datetime import datetime

from adapters.memory.accounts import followers, found, kept
from adapters.memory.database import Reads
from adapters.memory.generations import likes
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.accounts.pictures import picture_urls
from core.community.errors import CommentNotFound, DuplicateFollow, DuplicateLike
from core.community.model import Comment
from core.community.repository import Comments, Follows, Likes
from core.community.views import INLINE_REPLIES, CommentUser, CommentView, CommunityReader, FollowedUser, ReplyView
from core.derivatives import original
from core.generations.errors import GenerationNotFound
from core.identifiers import CommentId, GenerationId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports.blob_store import BlobStore


class MemoryFollows(Follows):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, follower)
            found(tables, followed)
            if (follower, followed) in tables.follows:
                raise DuplicateFollow
            tables.follows[follower, followed] = at

        await self._transaction.lock("user", followed)
        self._transaction.write(operation)

    async def remove(self, follower: UserId, followed: UserId) -> None:
        await self._transaction.lock("user", followed)
        self._transaction.write(lambda tables: tables.follows.pop((follower, followed), None))

    async def count(self, followed: UserId) -> int:
        found(self._transaction.tables, followed)
        return followers(self._transaction.tables, followed)


class MemoryLikes(Likes):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, user_id: UserId, generation_id: GenerationId, *, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, user_id)
            if (generation_id, user_id) in tables.likes:
                raise DuplicateLike
            tables.likes[generation_id, user_id] = at

        self._transaction.write(operation)

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        self._transaction.write(lambda tables: tables.likes.pop((generation_id, user_id), None))

    async def exists(self, user_id: UserId, generation_id: GenerationId) -> bool:
        return (generation_id, user_id) in self._transaction.tables.likes

    async def count(self, generation_id: GenerationId) -> int:
        return likes(self._transaction.tables, generation_id)


class MemoryComments(Comments):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, comment_id: CommentId, *, lock: bool = False) -> Comment:
        if lock:
            await self._transaction.lock("comment", comment_id)
        return _found(self._transaction.tables, comment_id)

    async def add(self, comment: Comment) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, comment.author_id)
            tables.comments[comment.id] = comment

        self._transaction.write(operation)

    async def save(self, comment: Comment) -> None:
        def operation(tables: Tables) -> None:
            _found(tables, comment.id)
            tables.comments[comment.id] = comment

        await self._transaction.lock("comment", comment.id)
        self._transaction.write(operation)

    async def remove(self, comment: Comment) -> None:
        def operation(tables: Tables) -> None:
            for gone in [_found(tables, comment.id), *_replies(tables, comment.id)]:
                del tables.comments[gone.id]

        await self._transaction.lock("comment", comment.id)
        self._transaction.write(operation)


class MemoryCommunityReader(CommunityReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        mine = [
            self._followed(followed, at)
            for (user_id, followed), at in self._reads.tables.follows.items()
            if user_id == follower
        ]
        return Page(*page_of(mine, place=lambda user: Keyset(0, user.followed_at, user.id), page=page))

    def _followed(self, user_id: UserId, at: datetime) -> FollowedUser:
        tables = self._reads.tables
        user, artist = tables.users[user_id], tables.artists.get(user_id)
        images = picture_urls(user.profile_image, self._blobs)
        return FollowedUser(
            id=user.id,
            username=user.username,
            profile_image=original(images),
            images=images,
            artist_name=artist.artist_name if artist else None,
            role=user.role.value,
            follower_count=followers(tables, user_id),
            followed_at=at,
        )

    async def comments(
        self, generation_id: GenerationId, *, viewer: UserId | None, page: PageRequest
    ) -> Page[CommentView]:
        tables = self._reads.tables
        if not _visible(tables, generation_id, viewer):
            raise GenerationNotFound
        found = [
            comment
            for comment in tables.comments.values()
            if comment.generation_id == generation_id and comment.parent_id is None
        ]
        shown, following = page_of(found, place=_place, page=page)
        return Page([self._view(comment) for comment in shown], following)

    async def replies(self, comment_id: CommentId, *, viewer: UserId | None, page: PageRequest) -> Page[ReplyView]:
        tables = self._reads.tables
        if not _visible(tables, _found(tables, comment_id).generation_id, viewer):
            raise CommentNotFound
        shown, following = page_of(_replies(tables, comment_id), place=_place, page=page, oldest_first=True)
        return Page([self._reply(comment_id, reply) for reply in shown], following)

    async def comment(self, comment_id: CommentId, *, viewer: UserId | None) -> CommentView:
        tables = self._reads.tables
        comment = _found(tables, comment_id)
        if not _visible(tables, comment.generation_id, viewer):
            raise CommentNotFound
        return self._view(comment)

    def _view(self, comment: Comment) -> CommentView:
        replies = _replies(self._reads.tables, comment.id)
        first, _ = page_of(replies, place=_place, page=PageRequest(INLINE_REPLIES), oldest_first=True)
        return CommentView(
            id=comment.id,
            user=self._user(comment.author_id),
            content="" if comment.hidden else comment.content,
            is_hidden=comment.hidden,
            parent_id=comment.parent_id,
            reply_count=len(replies),
            replies=[self._reply(comment.id, reply) for reply in first],
            created_at=comment.created_at,
            updated_at=comment.updated_at,
        )

    def _reply(self, parent_id: CommentId, reply: Comment) -> ReplyView:
        user = self._user(reply.author_id)
        return ReplyView(
            reply.id,
            user,
            "" if reply.hidden else reply.content,
            reply.hidden,
            parent_id,
            reply.created_at,
            reply.updated_at,
        )

    def _user(self, user_id: UserId) -> CommentUser:
        user = self._reads.tables.users[user_id]
        images = picture_urls(user.profile_image, self._blobs)
        return CommentUser(user.id, user.username, original(images), images)


def _found(tables: Tables, comment_id: CommentId) -> Comment:
    comment = tables.comments.get(comment_id)
    if comment is None:
        raise CommentNotFound
    return comment


def _replies(tables: Tables, comment_id: CommentId) -> list[Comment]:
    return [comment for comment in tables.comments.values() if comment.parent_id == comment_id]


def _visible(tables: Tables, generation_id: GenerationId, viewer: UserId | None) -> bool:
    generation = tables.generations.get(generation_id)
    return generation is not None and (generation.is_public or generation.owner_id == viewer)


def _place(comment: Comment) -> Keyset:
    return Keyset(0, comment.created_at, comment.id)
