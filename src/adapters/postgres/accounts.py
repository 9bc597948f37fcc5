from datetime import datetime

import msgspec

from adapters.postgres.paging import Arguments, Keys, cut, limit
from adapters.postgres.pool import Reads, Record
from adapters.postgres.statements import lookup
from adapters.postgres.transaction import PostgresTransaction
from adapters.postgres.writes import Write, assignments, hexadecimal, insert
from core.accounts.errors import NotOneUser, SessionNotFound, UserNotFound
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
from core.identifiers import SessionId, UserId
from core.paging import Page, PageRequest
from core.ports import changes
from core.ports.active_sessions import SEEN_INTERVAL, ActiveSession, ActiveSessions
from core.ports.blob_store import BlobStore
from core.requester import Requester, Role
from core.text import comparison_key, unique_key

FIXED = ("id", "provider", "subject", "created_at")
CHANGING = ("email", "username", "role", "bio", "profile_image", "standing", "updated_at")
USER = f"""
SELECT {", ".join((*FIXED, *CHANGING))} FROM users
"""

ARTIST = "SELECT user_id, artist_name, verified_email, signature_key, created_at FROM artists WHERE user_id = $1"
PENDING_DELETION = f"{USER} WHERE id = $1 AND standing = 'leaving' FOR NO KEY UPDATE"
SUSPENDED = f"{USER} WHERE id = $1 AND standing = 'suspended' FOR NO KEY UPDATE"
PENDING_DELETIONS = "SELECT id FROM users WHERE standing = 'leaving' ORDER BY updated_at, id LIMIT $1"

SAVE_USER = Write(
    target="users",
    columns="users",
    ctes=f"""
        saved_user AS (
            UPDATE users SET {assignments(CHANGING, "input")}
            FROM input_users input WHERE users.id = input.id
            RETURNING users.id
        ),
        saved_artist_texts AS (
            UPDATE artist_texts SET
                username = input.username, grams = search_grams(input.username || E'\\n' || artist_name)
            FROM input_users input WHERE user_id = input.id AND artist_texts.username <> input.username
        )""",
    finds="saved_user",
    rule="user_found",
)
ADD_ARTIST_TEXTS = Write(
    target="artist_texts",
    columns="user_id bigint, artist_name text",
    ctes="""
        added_artist_texts AS (
            INSERT INTO artist_texts (user_id, username, artist_name, grams)
            SELECT id, username, artist_name, search_grams(username || E'\\n' || artist_name)
            FROM input_artist_texts JOIN users ON users.id = user_id
        )""",
)
# Its target is `users` instead of `artists`: both change `artist_texts`, and one statement changes a row only once.
SAVE_ARTIST = Write(
    target="users",
    columns="user_id bigint, artist_name text, signature_key text, key text, name_key text",
    ctes="""
        saved_artist AS (
            UPDATE artists SET
                artist_name = input.artist_name, name_key = input.name_key, signature_key = input.signature_key
            FROM input_users input WHERE artists.user_id = input.user_id
            RETURNING artists.user_id
        ),
        saved_artist_texts AS (
            UPDATE artist_texts SET artist_name = input.key, grams = search_grams(username || E'\\n' || input.key)
            FROM input_users input WHERE artist_texts.user_id = input.user_id AND artist_texts.artist_name <> input.key
        )""",
    finds="saved_artist",
    rule="user_found",
)
END_SESSION = Write(
    target="sessions",
    columns="sessions",
    ctes="""
        ended_session AS (
            DELETE FROM sessions USING input_sessions input WHERE sessions.token_hash = input.token_hash
        )""",
)

END_OF_USER = "DELETE FROM sessions WHERE user_id = $1 AND id = $2 RETURNING token_hash"
END_SESSIONS = "DELETE FROM sessions WHERE user_id = $1 AND token_hash IS DISTINCT FROM $2 RETURNING token_hash"
RENEW_SESSION = Write(
    target="sessions",
    columns="token_hash bytea, seen_at timestamptz, due timestamptz, expires_at timestamptz",
    ctes="""
        renewed_session AS (
            UPDATE sessions SET last_seen_at = input.seen_at, expires_at = input.expires_at
            FROM input_sessions input
            WHERE sessions.token_hash = input.token_hash
                AND sessions.expires_at > input.seen_at AND sessions.last_seen_at <= input.due
        )""",
)

SESSION = {"token_hash": "bytea", "at": "timestamptz"}
IN_FORCE = """
SELECT users.id, users.role, artists.user_id IS NOT NULL AS is_artist, sessions.last_seen_at
FROM sessions
JOIN users ON users.id = sessions.user_id
LEFT JOIN artists ON artists.user_id = users.id
WHERE sessions.token_hash = input.token_hash AND sessions.expires_at > input.at AND users.standing = 'present'
"""
REQUESTER = lookup(SESSION, IN_FORCE)

ME = lookup(
    {"user_id": "bigint"},
    """
SELECT users.id, username, email, profile_image, role, bio, users.created_at, follower_count,
    artists.user_id IS NOT NULL AS is_artist, artist_name, signature_key, verified_email,
    coalesce(wallet.balance - wallet.held, 0) AS free,
    coalesce(earnings.balance - earnings.held, 0)
        + (SELECT coalesce(sum(amount), 0)::bigint FROM balance_deltas WHERE account_id = earnings.id) AS earned
FROM users
LEFT JOIN artists ON artists.user_id = users.id
LEFT JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = users.id
LEFT JOIN accounts earnings ON earnings.kind = 'earnings' AND earnings.owner_id = users.id
WHERE users.id = input.user_id
""",
)

PROFILE = """
SELECT id, username, profile_image, bio, role, users.created_at, users.updated_at, follower_count, artist_name,
    artists.user_id IS NOT NULL AS is_artist,
    EXISTS (SELECT FROM follows WHERE follower_id = $2 AND followed_id = id) AS is_following,
    (SELECT count(*) FROM generations WHERE owner_id = users.id AND status = 'completed') AS completed,
    (SELECT count(*) FROM generations WHERE owner_id = users.id AND public_key IS NOT NULL) AS public,
    (SELECT count(*) FROM follows WHERE follower_id = users.id) AS following
FROM users
LEFT JOIN artists ON artists.user_id = users.id
WHERE users.id = $1 AND standing = 'present'
"""
FIND = """
SELECT id FROM users
WHERE standing IN ('present', 'suspended') AND (id::text = $1 OR username = $1 OR email = $1) ORDER BY id
"""
ADMINS = "SELECT id, username, email FROM users WHERE role = 'admin' AND standing = 'present' ORDER BY id"


def _sessions(page: PageRequest, arguments: Arguments) -> str:
    keys = Keys()
    return f"""
    SELECT id, created_at, last_seen_at, expires_at, user_agent, token_hash = $2 AS current
    FROM sessions WHERE user_id = $1 AND expires_at > $3 AND {keys.after(page, arguments)}
    ORDER BY {keys.order()} {limit(page)}
    """


PURGE_EXPIRED = """
WITH expired AS MATERIALIZED (
    SELECT token_hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM sessions USING expired WHERE sessions.token_hash = expired.token_hash
RETURNING sessions.token_hash
"""


class PostgresUsers(Users):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, user_id: UserId, *, lock: bool = False) -> User:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(
            f"{USER} WHERE id = $1 AND standing = 'present' {locking}", user_id, lock=lock
        )
        if row is None:
            raise UserNotFound
        return _user(row)

    async def of_identity(self, provider: str, subject: str, *, lock: bool = False) -> User | None:
        locking = "FOR NO KEY UPDATE" if lock else ""
        row = await self._transaction.fetchrow(
            f"{USER} WHERE provider = $1 AND subject = $2 {locking}", provider, subject, lock=lock
        )
        return _user(row) if row else None

    async def suspended(self, user_id: UserId) -> User:
        row = await self._transaction.fetchrow(SUSPENDED, user_id, lock=True)
        if row is None:
            raise UserNotFound
        return _user(row)

    async def username_taken(self, username: str) -> bool:
        return await self._transaction.fetchrow("SELECT FROM users WHERE username = $1", username) is not None

    async def add(self, user: User) -> None:
        await self._transaction.write(insert("users", (*FIXED, *CHANGING)), msgspec.structs.asdict(user))

    async def save(self, user: User) -> None:
        await self._transaction.write(SAVE_USER, msgspec.structs.asdict(user))

    async def add_artist(self, artist: Artist) -> None:
        row = {**msgspec.structs.asdict(artist), "name_key": unique_key(artist.artist_name)}
        await self._transaction.write(insert("artists", tuple(row)), row)
        texts = {"user_id": artist.user_id, "artist_name": comparison_key(artist.artist_name)}
        await self._transaction.write(ADD_ARTIST_TEXTS, texts)

    async def artist(self, user_id: UserId) -> Artist | None:
        row = await self._transaction.fetchrow(ARTIST, user_id)
        return Artist(**row) if row else None

    async def save_artist(self, artist: Artist) -> None:
        row = {
            "user_id": artist.user_id,
            "artist_name": artist.artist_name,
            "signature_key": artist.signature_key,
            "key": comparison_key(artist.artist_name),
            "name_key": unique_key(artist.artist_name),
        }
        await self._transaction.write(SAVE_ARTIST, row)

    async def pending_deletion(self, user_id: UserId) -> User | None:
        row = await self._transaction.fetchrow(PENDING_DELETION, user_id, lock=True)
        return _user(row) if row else None

    async def pending_deletions(self, *, limit: int) -> list[UserId]:
        return [row["id"] for row in await self._transaction.fetch(PENDING_DELETIONS, limit)]

    async def was_erased(self, identity: bytes) -> bool:
        known = "SELECT FROM erased_identities WHERE identity = $1"
        return await self._transaction.fetchrow(known, identity) is not None


def active_session(row: Record) -> ActiveSession:
    return ActiveSession(Requester(row["id"], Role(row["role"]), row["is_artist"]), row["last_seen_at"])


class PostgresActiveSessions(ActiveSessions):
    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def active(self, token_hash: bytes, *, at: datetime) -> ActiveSession | None:
        row = await self._reads.row(REQUESTER, token_hash, at)
        return active_session(row) if row else None


class PostgresSessions(PostgresActiveSessions, Sessions):
    def __init__(self, transaction: PostgresTransaction) -> None:
        super().__init__(transaction.unit)
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        row = {**msgspec.structs.asdict(session), "token_hash": hexadecimal(session.token_hash)}
        await self._transaction.write(insert("sessions", tuple(row)), row)

    async def end(self, token_hash: bytes) -> None:
        await self._transaction.write(END_SESSION, {"token_hash": hexadecimal(token_hash)})
        self._transaction.notify_after_commit(changes.session(token_hash))

    async def end_of_user(self, user_id: UserId, session_id: SessionId) -> bytes:
        row = await self._transaction.fetchrow(END_OF_USER, user_id, session_id, lock=True)
        if row is None:
            raise SessionNotFound
        token_hash: bytes = row["token_hash"]
        self._transaction.notify_after_commit(changes.session(token_hash))
        return token_hash

    async def end_all(self, user_id: UserId, *, keep: bytes | None = None) -> int:
        ended = await self._transaction.fetch(END_SESSIONS, user_id, keep, lock=True)
        for session in ended:
            self._transaction.notify_after_commit(changes.session(session["token_hash"]))
        return len(ended)

    async def renew(self, token_hash: bytes, *, at: datetime) -> None:
        row = {
            "token_hash": hexadecimal(token_hash),
            "seen_at": at,
            "due": at - SEEN_INTERVAL,
            "expires_at": at + SESSION_LIFETIME,
        }
        await self._transaction.write(RENEW_SESSION, row)

    async def purge_expired(self, *, now: datetime, limit: int) -> int:
        return len(await self._transaction.fetch(PURGE_EXPIRED, now, limit, lock=True))


class PostgresAccountsReader(AccountsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def me(self, user_id: UserId) -> Me:
        row = await self._reads.row(ME, user_id)
        if row is None:
            raise UserNotFound
        images = picture_urls(row["profile_image"], self._blobs)
        return Me(
            id=row["id"],
            username=row["username"],
            email=row["email"],
            profile_image=original(images),
            images=images,
            role=row["role"],
            token_balance=row["free"],
            bio=row["bio"],
            created_at=row["created_at"],
            artist=await self._artist(row) if row["is_artist"] else None,
        )

    async def profile(self, user_id: UserId, *, viewer: UserId | None) -> Profile:
        return self._profile(await self._profile_row(user_id, viewer=viewer))

    async def own_profile(self, user_id: UserId) -> OwnProfile:
        row = await self._profile_row(user_id, viewer=user_id)
        return OwnProfile(**msgspec.structs.asdict(self._profile(row)), updated_at=row["updated_at"])

    async def sessions(self, user_id: UserId, *, current: bytes, at: datetime, page: PageRequest) -> Page[SessionView]:
        arguments = Arguments([user_id, current, at])
        sql = _sessions(page, arguments)
        rows, following = cut(await self._reads.fetch(sql, *arguments), page)
        return Page([SessionView(**row) for row in rows], following)

    async def find(self, who: str) -> UserId:
        found: list[UserId] = [row["id"] for row in await self._reads.fetch(FIND, who)]
        if len(found) != 1:
            raise NotOneUser(who, found=len(found))
        return found[0]

    async def admins(self) -> list[Admin]:
        return [Admin(**row) for row in await self._reads.fetch(ADMINS)]

    async def _profile_row(self, user_id: UserId, *, viewer: UserId | None) -> Record:
        row = await self._reads.fetchrow(PROFILE, user_id, viewer)
        if row is None:
            raise UserNotFound
        return row

    def _profile(self, row: Record) -> Profile:
        artist = ProfileArtist(row["id"], row["artist_name"], row["follower_count"]) if row["is_artist"] else None
        images = picture_urls(row["profile_image"], self._blobs)
        return Profile(
            id=row["id"],
            username=row["username"],
            profile_image=original(images),
            images=images,
            bio=row["bio"],
            role=row["role"],
            created_at=row["created_at"],
            is_following=row["is_following"],
            artist=artist,
            stats=ProfileStats(row["completed"], row["public"], row["following"]),
        )

    async def _artist(self, row: Record) -> MeArtist:
        return MeArtist(
            id=row["id"],
            artist_name=row["artist_name"],
            signature_image_url=await self._blobs.signed_url(row["signature_key"]),
            verified_email=row["verified_email"],
            earned_token_balance=row["earned"],
            follower_count=row["follower_count"],
        )


def _user(row: Record) -> User:
    return User(**{**row, "role": Role(row["role"]), "standing": Standing(row["standing"])})
