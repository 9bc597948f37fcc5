"""The user on whose behalf a use case runs; shared by every noun."""

from enum import Enum

import msgspec

from core.identifiers import UserId


class Role(Enum):
    USER = "user"
    ARTIST = "artist"
    ADMIN = "admin"


class Requester(msgspec.Struct, frozen=True):
    """The user and role of the session."""

    id: UserId
    role: Role
    is_artist: bool

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN
