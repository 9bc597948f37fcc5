import io
from typing import Any, BinaryIO, cast


def first_bytes(content: BinaryIO, size: int) -> BinaryIO:
    """A view of the first `size` bytes of a file. Both share one position."""
    return cast("BinaryIO", io.BufferedReader(_Beginning(content, size)))


class _Beginning(io.RawIOBase):
    def __init__(self, content: BinaryIO, size: int) -> None:
        super().__init__()
        self._content = content
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._content.read(min(len(buffer), max(self._size - self._content.tell(), 0)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return self._content.seek(max(self._size + offset, 0))
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()
