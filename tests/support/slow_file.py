import asyncio
import threading
from io import BytesIO


class SlowFile(BytesIO):
    """A file that sets an event when it is first read, and waits for another event."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def read(self, size: int | None = -1) -> bytes:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.go_on.wait(10)
        return super().read(size)
