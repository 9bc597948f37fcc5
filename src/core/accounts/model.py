import re
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from core.accounts.errors import EmailNotVerified, NotAnAdmin
from core.accounts.reserved_names import is_reserved
from core.errors import ValidationError
from core.identifiers import SessionId, UserId
from core.ports.blob_store import PUBLIC_PREFIX
from core.problems import INVALID_EMAIL, INVALID_USERNAME, RESERVED_NAME
from core.requester import Role
from core.text import parse_free_text, problem_of_free_text, problem_of_name

SESSION_LIFETIME = timedelta(days=14)
"""How long a session lasts after it was last seen."""
MAX_USER_AGENT = 500
MAX_BIO = 500
MAX_ARTIST_NAME = 50
MAX_EMAIL = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3, less the angle brackets)."""
MIN_USERNAME = 3
_USERNAME = re.compile(r"[a-z0-9._-]{3,30}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")


class Standing(Enum):
    PRESENT = "present"
    PENDING_DELETION = "leaving"
    """Account deleted; personal data is being erased."""
    DEACTIVATED = "deactivated"
    """Account deleted, name kept because others have images in one of the styles."""
    SUSPENDED = "suspended"
    """Cannot sign in until an admin restores the account; everything is kept."""


class User(msgspec.Struct, frozen=True):
    id: UserId
    provider: str
    subject: str
    """The provider's id of the user; unique together with `provider`."""
    email: str | None
    """The address that the provider last reported as verified. Not unique."""
    username: str
    created_at: datetime
    updated_at: datetime
    role: Role = Role.USER
    bio: str = ""
    profile_image: str | None = None
    """The key of a public object, or a URL from the identity provider."""
    standing: Standing = Standing.PRESENT

    @property
    def picture_key(self) -> str | None:
        """The key of the profile image if it is an object in our store."""
        ours = self.profile_image is not None and self.profile_image.startswith(PUBLIC_PREFIX)
        return self.profile_image if ours else None

    def edit(self, *, at: datetime, username: str, bio: str, profile_image: str | None) -> "User":
        """Raises ValidationError."""
        problems = {}
        if not _USERNAME.fullmatch(username):
            problems["username"] = INVALID_USERNAME
        elif username != self.username and is_reserved(username):
            problems["username"] = RESERVED_NAME
        bio = parse_free_text(bio)
        if problem := problem_of_free_text(bio, limit=MAX_BIO):
            problems["bio"] = problem
        if problems:
            raise ValidationError(**problems)
        return msgspec.structs.replace(self, username=username, bio=bio, profile_image=profile_image, updated_at=at)

    def with_verified_email(self, email: str | None, *, at: datetime) -> "User":
        """The user with the verified address; unchanged if it is None or the same."""
        if email is None or email == self.email:
            return self
        return msgspec.structs.replace(self, email=email, updated_at=at)

    def become_artist(self, verified_email: str, *, at: datetime) -> "User":
        """Returns the user with the artist role; an admin stays an admin. Raises EmailNotVerified."""
        if self.email is None or verified_email.casefold() != self.email.casefold():
            raise EmailNotVerified
        role = Role.ADMIN if self.role is Role.ADMIN else Role.ARTIST
        return msgspec.structs.replace(self, role=role, updated_at=at)

    def start_deletion(self, *, at: datetime) -> "User":
        return msgspec.structs.replace(self, standing=Standing.PENDING_DELETION, updated_at=at)

    def deactivate(self, *, at: datetime) -> "User":
        """Returns the user with everything removed but the identity and the name that styles are credited to."""
        return msgspec.structs.replace(
            self, standing=Standing.DEACTIVATED, email=None, bio="", profile_image=None, updated_at=at
        )

    def become_admin(self, *, at: datetime) -> "User":
        return msgspec.structs.replace(self, role=Role.ADMIN, updated_at=at)

    def resign_as_admin(self, *, at: datetime, is_artist: bool) -> "User":
        """Raises NotAnAdmin."""
        if self.role is not Role.ADMIN:
            raise NotAnAdmin
        return msgspec.structs.replace(self, role=Role.ARTIST if is_artist else Role.USER, updated_at=at)

    def suspend(self, *, at: datetime) -> "User":
        return msgspec.structs.replace(self, standing=Standing.SUSPENDED, updated_at=at)

    def restore(self, *, at: datetime) -> "User":
        return msgspec.structs.replace(self, standing=Standing.PRESENT, updated_at=at)


class Artist(msgspec.Struct, frozen=True):
    user_id: UserId
    artist_name: str
    verified_email: str
    signature_key: str
    """The key of the signature image that is stamped on every generated image."""
    created_at: datetime

    def __post_init__(self) -> None:
        problems = {}
        if problem := problem_of_name(self.artist_name, limit=MAX_ARTIST_NAME):
            problems["artist_name"] = problem
        if len(self.verified_email) > MAX_EMAIL or not _EMAIL.fullmatch(self.verified_email):
            problems["verified_email"] = INVALID_EMAIL
        if problems:
            raise ValidationError(**problems)

    def check_name(self) -> None:
        """Raises ValidationError for a reserved name. Not for a stored one: names may be reserved later."""
        if is_reserved(self.artist_name):
            raise ValidationError(artist_name=RESERVED_NAME)

    def edit(self, *, artist_name: str, signature_key: str) -> "Artist":
        return msgspec.structs.replace(self, artist_name=artist_name, signature_key=signature_key)


class Session(msgspec.Struct, frozen=True):
    id: SessionId
    token_hash: bytes
    """SHA-256 of the token; the token itself is not stored."""
    user_id: UserId
    created_at: datetime
    last_seen_at: datetime
    """To within SEEN_INTERVAL."""
    expires_at: datetime
    user_agent: str

    @classmethod
    def start(
        cls, session_id: SessionId, token_hash: bytes, user_id: UserId, *, at: datetime, user_agent: str
    ) -> "Session":
        return cls(session_id, token_hash, user_id, at, at, at + SESSION_LIFETIME, user_agent[:MAX_USER_AGENT])


def username_from(email: str | None, name: str | None) -> str:
    """A valid username from the local part of the e-mail address, else from the name, else `user`."""
    source = email.partition("@")[0] if email else name or ""
    username = re.sub(r"[^a-z0-9._-]+", "-", source.lower()).strip(".-_")[:23]
    usable = len(username) >= MIN_USERNAME and not is_reserved(username)
    return username if usable else f"user-{username}".rstrip("-")
