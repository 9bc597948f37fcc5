"""The person that a use case acts for; every noun uses it, so it belongs to none."""

from enum import Enum

import msgspec

from core.identifiers import UserId


class Role(Enum):
    USER = "user"
    ARTIST = "artist"
    ADMIN = "admin"


class Requester(msgspec.Struct, frozen=True):
    """Who asks, as the session tells."""

    id: UserId
    role: Role
    is_artist: bool

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN
