from typing import BinaryIO

import msgspec


class Upload(msgspec.Struct, frozen=True):
    """A file as a client sent it."""

    name: str
    """The client's file name; used in messages only."""
    size: int
    """Bytes."""
    content: BinaryIO
