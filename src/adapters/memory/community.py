from datetime import datetime

from adapters.memory.accounts import followers, found, picture_url
from adapters.memory.database import MemoryDatabase
from adapters.memory.generations import likes
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.transaction import MemoryTransaction
from core.community.errors import DuplicateFollow, DuplicateLike
from core.community.repository import Follows, Likes
from core.community.views import CommunityReader, FollowedUser
from core.identifiers import GenerationId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports.blob_store import BlobStore


class MemoryFollows(Follows):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, follower: UserId, followed: UserId, *, at: datetime) -> None:
        def operation(tables: Tables) -> None:
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
            if (generation_id, user_id) in tables.likes:
                raise DuplicateLike
            tables.likes[generation_id, user_id] = at

        self._transaction.write(operation)

    async def remove(self, user_id: UserId, generation_id: GenerationId) -> None:
        self._transaction.write(lambda tables: tables.likes.pop((generation_id, user_id), None))

    async def count(self, generation_id: GenerationId) -> int:
        return likes(self._transaction.tables, generation_id)


class MemoryCommunityReader(CommunityReader):
    def __init__(self, database: MemoryDatabase, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    async def following(self, follower: UserId, *, page: PageRequest) -> Page[FollowedUser]:
        mine = [
            self._followed(followed, at)
            for (somebody, followed), at in self._database.tables.follows.items()
            if somebody == follower
        ]
        return Page(*page_of(mine, place=lambda user: Keyset(0, user.followed_at, user.id), page=page))

    def _followed(self, user_id: UserId, at: datetime) -> FollowedUser:
        tables = self._database.tables
        user, artist = tables.users[user_id], tables.artists.get(user_id)
        return FollowedUser(
            id=user.id,
            username=user.username,
            profile_image=picture_url(user, self._blobs),
            artist_name=artist.artist_name if artist else None,
            role=user.role.value,
            follower_count=followers(tables, user_id),
            followed_at=at,
        )
