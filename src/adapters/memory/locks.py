import asyncio
from collections.abc import Hashable


class _Lock(asyncio.Lock):
    def __init__(self) -> None:
        super().__init__()
        self.wanted = 0
        """How many hold it or wait for it."""


class RowLocks:
    """Row locks, first come, first served."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, _Lock] = {}

    @property
    def awaited(self) -> bool:
        """Whether anyone waits for a row locked by another."""
        return any(lock.wanted > 1 for lock in self._locks.values())

    async def acquire(self, row: Hashable) -> None:
        lock = self._locks.setdefault(row, _Lock())
        lock.wanted += 1
        try:
            await lock.acquire()
        except BaseException:
            self._let_go(row, lock)
            raise

    def release(self, row: Hashable) -> None:
        lock = self._locks[row]
        lock.release()
        self._let_go(row, lock)

    def _let_go(self, row: Hashable, lock: _Lock) -> None:
        lock.wanted -= 1
        if not lock.wanted:
            del self._locks[row]
