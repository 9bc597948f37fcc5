from datetime import datetime

import msgspec

from adapters.memory.database import Reads
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables
from adapters.memory.tokens import available, earned
from adapters.memory.transaction import MemoryTransaction
from core.accounts.errors import (
    AlreadyArtist,
    ArtistNameTaken,
    IdentityTaken,
    NotOneUser,
    SessionNotFound,
    UsernameTaken,
    UserNotFound,
)
from core.accounts.model import SESSION_LIFETIME, Artist, Session, Standing, User
from core.accounts.pictures import picture_urls
from core.accounts.repository import Sessions, Users
from core.accounts.views import (
    AccountsReader,
    Admin,
    Me,
    MeArtist,
    OwnProfile,
    Profile,
    ProfileArtist,
    ProfileStats,
    SessionView,
)
from core.derivatives import original
from core.generations.model import Status
from core.identifiers import SessionId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports import changes
from core.ports.active_sessions import SEEN_INTERVAL, ActiveSession
from core.ports.blob_store import BlobStore
from core.requester import Requester, Role
from core.text import unique_key


class MemoryUsers(Users):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, user_id: UserId, *, lock: bool = False) -> User:
        if lock:
            await self._transaction.lock("user", user_id)
        return found(self._transaction.tables, user_id)

    async def of_identity(self, provider: str, subject: str, *, lock: bool = False) -> User | None:
        user_id = self._transaction.tables.identities.get((provider, subject))
        if user_id is not None and lock:
            await self._transaction.lock("user", user_id)
        return None if user_id is None else self._transaction.tables.users.get(user_id)

    async def suspended(self, user_id: UserId) -> User:
        await self._transaction.lock("user", user_id)
        user = self._transaction.tables.users.get(user_id)
        if user is None or user.standing is not Standing.SUSPENDED:
            raise UserNotFound
        return user

    async def username_taken(self, username: str) -> bool:
        return username in self._transaction.tables.usernames

    async def add(self, user: User) -> None:
        def operation(tables: Tables) -> None:
            identity = (user.provider, user.subject)
            if identity in tables.identities:
                raise IdentityTaken
            if user.username in tables.usernames:
                raise UsernameTaken
            tables.users[user.id] = user
            tables.identities[identity] = user.id
            tables.usernames[user.username] = user.id

        self._transaction.write(operation)

    async def save(self, user: User) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, user.id)
            before = tables.users[user.id]
            if tables.usernames.get(user.username, user.id) != user.id:
                raise UsernameTaken
            del tables.usernames[before.username]
            tables.usernames[user.username] = user.id
            tables.users[user.id] = user

        await self._transaction.lock("user", user.id)
        self._transaction.write(operation)

    async def add_artist(self, artist: Artist) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, artist.user_id)
            if artist.user_id in tables.artists:
                raise AlreadyArtist
            _name_artist(tables, artist)

        self._transaction.write(operation)

    async def artist(self, user_id: UserId) -> Artist | None:
        return self._transaction.tables.artists.get(user_id)

    async def save_artist(self, artist: Artist) -> None:
        def operation(tables: Tables) -> None:
            if artist.user_id not in tables.artists:
                raise UserNotFound
            _name_artist(tables, artist)

        await self._transaction.lock("user", artist.user_id)
        self._transaction.write(operation)

    async def pending_deletion(self, user_id: UserId) -> User | None:
        await self._transaction.lock("user", user_id)
        user = self._transaction.tables.users.get(user_id)
        return user if user and user.standing is Standing.PENDING_DELETION else None

    async def pending_deletions(self, *, limit: int) -> list[UserId]:
        users = self._transaction.tables.users.values()
        leaving = sorted((user.updated_at, user.id) for user in users if user.standing is Standing.PENDING_DELETION)
        return [user_id for _, user_id in leaving[:limit]]

    async def was_erased(self, identity: bytes) -> bool:
        return identity in self._transaction.tables.erased


class MemorySessions(Sessions):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        def operation(tables: Tables) -> None:
            kept(tables, session.user_id)
            tables.sessions[session.token_hash] = session

        self._transaction.write(operation)

    async def end(self, token_hash: bytes) -> None:
        self._transaction.write(lambda tables: tables.sessions.pop(token_hash, None))
        self._transaction.notify_after_commit(changes.session(token_hash))

    async def end_of_user(self, user_id: UserId, session_id: SessionId) -> bytes:
        sessions = self._transaction.tables.sessions.values()
        for session in sessions:
            if (session.id, session.user_id) == (session_id, user_id):
                await self.end(session.token_hash)
                return session.token_hash
        raise SessionNotFound

    async def end_all(self, user_id: UserId, *, keep: bytes | None = None) -> int:
        sessions = self._transaction.tables.sessions
        ended = [
            token_hash for token_hash, session in sessions.items() if session.user_id == user_id and token_hash != keep
        ]

        def operation(tables: Tables) -> None:
            for token_hash in ended:
                tables.sessions.pop(token_hash, None)

        self._transaction.write(operation)
        for token_hash in ended:
            self._transaction.notify_after_commit(changes.session(token_hash))
        return len(ended)

    async def renew(self, token_hash: bytes, *, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            session = tables.sessions.get(token_hash)
            if session and session.expires_at > at and session.last_seen_at <= at - SEEN_INTERVAL:
                tables.sessions[token_hash] = msgspec.structs.replace(
                    session, last_seen_at=at, expires_at=at + SESSION_LIFETIME
                )

        self._transaction.write(operation)

    async def active(self, token_hash: bytes, *, at: datetime) -> ActiveSession | None:
        tables = self._transaction.unit.tables
        session = tables.sessions.get(token_hash)
        if session is None or session.expires_at <= at:
            return None
        user = tables.users[session.user_id]
        if user.standing is not Standing.PRESENT:
            return None
        return ActiveSession(Requester(user.id, user.role, user.id in tables.artists), session.last_seen_at)

    async def purge_expired(self, *, now: datetime, limit: int) -> int:
        def operation(tables: Tables) -> int:
            expired = [token_hash for token_hash, session in tables.sessions.items() if session.expires_at <= now][
                :limit
            ]
            for token_hash in expired:
                del tables.sessions[token_hash]
            return len(expired)

        return self._transaction.write(operation)


class MemoryAccountsReader(AccountsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def me(self, user_id: UserId) -> Me:
        tables = self._reads.tables
        user = found(tables, user_id)
        artist = tables.artists.get(user_id)
        images = picture_urls(user.profile_image, self._blobs)
        return Me(
            id=user.id,
            username=user.username,
            email=user.email,
            profile_image=original(images),
            images=images,
            role=user.role.value,
            token_balance=available(tables, user_id),
            bio=user.bio,
            created_at=user.created_at,
            artist=None
            if artist is None
            else MeArtist(
                id=user.id,
                artist_name=artist.artist_name,
                signature_image_url=await self._blobs.signed_url(artist.signature_key),
                verified_email=artist.verified_email,
                earned_token_balance=earned(tables, user_id) or 0,
                follower_count=followers(tables, user_id),
            ),
        )

    async def profile(self, user_id: UserId, *, viewer: UserId | None) -> Profile:
        tables = self._reads.tables
        user = found(tables, user_id)
        artist = tables.artists.get(user_id)
        generations = [
            generation
            for generation in tables.generations.values()
            if generation.owner_id == user_id and generation.status is Status.COMPLETED
        ]
        images = picture_urls(user.profile_image, self._blobs)
        return Profile(
            id=user.id,
            username=user.username,
            profile_image=original(images),
            images=images,
            bio=user.bio,
            role=user.role.value,
            created_at=user.created_at,
            is_following=(viewer, user_id) in tables.follows,
            artist=None if artist is None else ProfileArtist(user.id, artist.artist_name, followers(tables, user_id)),
            stats=ProfileStats(
                total_generations=len(generations),
                public_generations=sum(generation.is_public for generation in generations),
                following_count=sum(follower == user_id for follower, _ in tables.follows),
            ),
        )

    async def sessions(self, user_id: UserId, *, current: bytes, at: datetime, page: PageRequest) -> Page[SessionView]:
        own = [
            session
            for session in self._reads.tables.sessions.values()
            if session.user_id == user_id and session.expires_at > at
        ]
        shown, following = page_of(own, place=_place, page=page)
        return Page([_session_view(session, current) for session in shown], following)

    async def find(self, who: str) -> UserId:
        found = [user.id for user in self._reads.tables.users.values() if _called(user, who)]
        if len(found) != 1:
            raise NotOneUser(who, found=len(found))
        return found[0]

    async def admins(self) -> list[Admin]:
        admins = [
            Admin(user.id, user.username, user.email)
            for user in self._reads.tables.users.values()
            if user.role is Role.ADMIN and user.standing is Standing.PRESENT
        ]
        return sorted(admins, key=lambda admin: admin.id)

    async def own_profile(self, user_id: UserId) -> OwnProfile:
        profile = await self.profile(user_id, viewer=user_id)
        updated_at = found(self._reads.tables, user_id).updated_at
        return OwnProfile(**msgspec.structs.asdict(profile), updated_at=updated_at)


def _name_artist(tables: Tables, artist: Artist) -> None:
    key = unique_key(artist.artist_name)
    if tables.artist_names.setdefault(key, artist.user_id) != artist.user_id:
        raise ArtistNameTaken
    if (before := tables.artists.get(artist.user_id)) and unique_key(before.artist_name) != key:
        del tables.artist_names[unique_key(before.artist_name)]
    tables.artists[artist.user_id] = artist


def _place(session: Session) -> Keyset:
    return Keyset(0, session.created_at, session.id)


def _session_view(session: Session, current: bytes) -> SessionView:
    return SessionView(
        id=session.id,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        expires_at=session.expires_at,
        user_agent=session.user_agent,
        current=session.token_hash == current,
    )


def _called(user: User, who: str) -> bool:
    return user.standing in (Standing.PRESENT, Standing.SUSPENDED) and who in (str(user.id), user.username, user.email)


def found(tables: Tables, user_id: UserId) -> User:
    """Raises UserNotFound, also for a deleted account."""
    user = tables.users.get(user_id)
    if user is None or user.standing is not Standing.PRESENT:
        raise UserNotFound
    return user


def kept(tables: Tables, user_id: UserId) -> None:
    """Raises UserNotFound for a missing user, like a foreign key."""
    if user_id not in tables.users:
        raise UserNotFound


def followers(tables: Tables, user_id: UserId) -> int:
    return sum(followed == user_id for _, followed in tables.follows)
