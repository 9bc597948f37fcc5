from datetime import datetime

from adapters.postgres.pool import Pool, Record
from adapters.postgres.transaction import PostgresTransaction, Write
from core.accounts.errors import UserNotFound
from core.accounts.model import Artist, Requester, Role, Session, Standing, User
from core.accounts.repository import Sessions, Users
from core.accounts.views import AccountsReader, Me, MeArtist, Profile, ProfileArtist, ProfileStats
from core.identifiers import UserId
from core.ports import changes
from core.ports.blob_store import PUBLIC_PREFIX, BlobStore
from core.search.matching import folded

USER = """
SELECT id, provider, subject, email, username, role, bio, profile_image, standing, created_at, updated_at FROM users
"""

ARTIST = "SELECT user_id, artist_name, verified_email, signature_key, created_at FROM artists WHERE user_id = $1"
LEAVER = f"{USER} WHERE id = $1 AND standing = 'leaving' FOR NO KEY UPDATE"
LEAVERS = "SELECT id FROM users WHERE standing = 'leaving' ORDER BY updated_at, id LIMIT $1"

ADD_USER = Write(
    touches="users",
    ctes="""
        added_user AS (
            INSERT INTO users
                (id, provider, subject, email, username, role, bio, profile_image, created_at, updated_at, standing)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        )""",
)
SAVE_USER = Write(
    touches="users",
    ctes="""
        saved_user AS (
            UPDATE users SET
                email = $2, username = $3, role = $4, bio = $5, profile_image = $6, updated_at = $7, standing = $8
            WHERE id = $1
            RETURNING id
        ),
        saved_artist_texts AS (
            UPDATE artist_texts SET username = $3, grams = search_grams($3 || E'\n' || artist_name)
            WHERE user_id = $1 AND username <> $3
        )""",
    finds="saved_user",
    rule="user_found",
)
ADD_ARTIST = Write(
    touches="artists",
    ctes="""
        added_artist AS (
            INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
            VALUES ($1, $2, $3, $4, $5)
        ),
        added_artist_texts AS (
            INSERT INTO artist_texts (user_id, username, artist_name, grams)
            SELECT id, username, $6, search_grams(username || E'\n' || $6) FROM users WHERE id = $1
        )""",
)
# Of the users' kind, not of the artists': both change `artist_texts`, and one statement changes a row once only.
SAVE_ARTIST = Write(
    touches="users",
    ctes="""
        saved_artist AS (
            UPDATE artists SET artist_name = $2, signature_key = $3 WHERE user_id = $1
            RETURNING user_id AS id
        ),
        saved_artist_texts AS (
            UPDATE artist_texts SET artist_name = $4, grams = search_grams(username || E'\n' || $4)
            WHERE user_id = $1 AND artist_name <> $4
        )""",
    finds="saved_artist",
    rule="user_found",
)
ADD_SESSION = Write(
    touches="sessions",
    ctes="""
        added_session AS (
            INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at, user_agent)
            VALUES ($1, $2, $3, $3, $4, $5)
        )""",
)
END_SESSION = Write(touches="sessions", ctes="ended_session AS (DELETE FROM sessions WHERE token_hash = $1)")

REQUESTER = """
SELECT users.id, users.role, artists.user_id IS NOT NULL AS is_artist
FROM sessions
JOIN users ON users.id = sessions.user_id
LEFT JOIN artists ON artists.user_id = users.id
WHERE sessions.token_hash = $1 AND sessions.expires_at > $2 AND users.standing = 'present'
"""

ME = """
SELECT users.id, username, email, profile_image, role, bio, users.created_at, follower_count,
    artists.user_id IS NOT NULL AS is_artist, artist_name, signature_key, verified_email,
    coalesce(wallet.balance - wallet.held, 0) AS free,
    coalesce(earnings.balance - earnings.held, 0)
        + (SELECT coalesce(sum(amount), 0)::bigint FROM balance_deltas WHERE account_id = earnings.id) AS earned
FROM users
LEFT JOIN artists ON artists.user_id = users.id
LEFT JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = users.id
LEFT JOIN accounts earnings ON earnings.kind = 'earnings' AND earnings.owner_id = users.id
WHERE users.id = $1
"""

PROFILE = """
SELECT id, username, profile_image, bio, role, users.created_at, follower_count, artist_name,
    artists.user_id IS NOT NULL AS is_artist,
    EXISTS (SELECT FROM follows WHERE follower_id = $2 AND followed_id = id) AS is_following,
    (SELECT count(*) FROM generations WHERE owner_id = users.id AND status = 'completed') AS completed,
    (SELECT count(*) FROM generations WHERE owner_id = users.id AND public_key IS NOT NULL) AS public,
    (SELECT count(*) FROM follows WHERE follower_id = users.id) AS following
FROM users
LEFT JOIN artists ON artists.user_id = users.id
WHERE users.id = $1 AND standing = 'present'
"""
DROP_EXPIRED = """
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

    async def of_identity(self, provider: str, subject: str) -> User | None:
        row = await self._transaction.fetchrow(f"{USER} WHERE provider = $1 AND subject = $2", provider, subject)
        return _user(row) if row else None

    async def of_email(self, email: str, *, lock: bool = False) -> list[User]:
        locking = "FOR NO KEY UPDATE" if lock else ""
        rows = await self._transaction.fetch(
            f"{USER} WHERE email = $1 AND standing = 'present' {locking}", email, lock=lock
        )
        return [_user(row) for row in rows]

    async def username_taken(self, username: str) -> bool:
        return await self._transaction.fetchrow("SELECT FROM users WHERE username = $1", username) is not None

    async def add(self, user: User) -> None:
        await self._transaction.write(
            ADD_USER,
            user.id,
            user.provider,
            user.subject,
            user.email,
            user.username,
            user.role.value,
            user.bio,
            user.profile_image,
            user.created_at,
            user.updated_at,
            user.standing.value,
        )

    async def save(self, user: User) -> None:
        await self._transaction.write(
            SAVE_USER,
            user.id,
            user.email,
            user.username,
            user.role.value,
            user.bio,
            user.profile_image,
            user.updated_at,
            user.standing.value,
        )

    async def add_artist(self, artist: Artist) -> None:
        await self._transaction.write(
            ADD_ARTIST,
            artist.user_id,
            artist.artist_name,
            artist.verified_email,
            artist.signature_key,
            artist.created_at,
            folded(artist.artist_name),
        )

    async def artist(self, user_id: UserId) -> Artist | None:
        row = await self._transaction.fetchrow(ARTIST, user_id)
        return Artist(**row) if row else None

    async def save_artist(self, artist: Artist) -> None:
        await self._transaction.write(
            SAVE_ARTIST, artist.user_id, artist.artist_name, artist.signature_key, folded(artist.artist_name)
        )

    async def leaver(self, user_id: UserId) -> User | None:
        row = await self._transaction.fetchrow(LEAVER, user_id, lock=True)
        return _user(row) if row else None

    async def leavers(self, *, limit: int) -> list[UserId]:
        return [row["id"] for row in await self._transaction.fetch(LEAVERS, limit)]

    async def was_here(self, identity: bytes) -> bool:
        known = "SELECT FROM erased_identities WHERE identity = $1"
        return await self._transaction.fetchrow(known, identity) is not None


class PostgresSessions(Sessions):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def add(self, session: Session) -> None:
        await self._transaction.write(
            ADD_SESSION,
            session.token_hash,
            session.user_id,
            session.created_at,
            session.expires_at,
            session.user_agent,
        )

    async def end(self, token_hash: bytes) -> None:
        await self._transaction.write(END_SESSION, token_hash)
        self._transaction.tell_of(changes.session(token_hash))

    async def requester(self, token_hash: bytes, *, at: datetime) -> Requester | None:
        row = await self._transaction.pool.fetchrow(REQUESTER, token_hash, at)
        return Requester(row["id"], Role(row["role"]), row["is_artist"]) if row else None

    async def drop_expired(self, *, now: datetime, limit: int) -> int:
        return len(await self._transaction.fetch(DROP_EXPIRED, now, limit, lock=True))


class PostgresAccountsReader(AccountsReader):
    def __init__(self, pool: Pool, blobs: BlobStore) -> None:
        self._pool = pool
        self._blobs = blobs

    async def me(self, user_id: UserId) -> Me:
        row = await self._pool.fetchrow(ME, user_id)
        if row is None:
            raise UserNotFound
        return Me(
            id=row["id"],
            username=row["username"],
            email=row["email"],
            profile_image=picture_url(row["profile_image"], self._blobs),
            role=row["role"],
            token_balance=row["free"],
            bio=row["bio"],
            created_at=row["created_at"],
            artist=await self._artist(row) if row["is_artist"] else None,
        )

    async def profile(self, user_id: UserId, *, viewer: UserId | None) -> Profile:
        row = await self._pool.fetchrow(PROFILE, user_id, viewer)
        if row is None:
            raise UserNotFound
        artist = ProfileArtist(row["id"], row["artist_name"], row["follower_count"]) if row["is_artist"] else None
        return Profile(
            id=row["id"],
            username=row["username"],
            profile_image=picture_url(row["profile_image"], self._blobs),
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


def picture_url(picture: str | None, blobs: BlobStore) -> str | None:
    """Our own objects are stored by key, the identity provider's pictures by URL."""
    return blobs.public_url(picture) if picture and picture.startswith(PUBLIC_PREFIX) else picture


def _user(row: Record) -> User:
    return User(**{**row, "role": Role(row["role"]), "standing": Standing(row["standing"])})
