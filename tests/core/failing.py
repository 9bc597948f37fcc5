"""Ports that fail, or run something else first, at a chosen call."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from core.ports.transaction import OutcomeUnknown, Transaction


class UnexpectedError(Exception):
    """An error that no use case expects."""


class LosesConnection(Transaction):
    """Commits, then raises `error`; blocks before number `at` are unaffected."""

    def __init__(self, transaction: Transaction, *, at: int = 1, error: type[BaseException] = OutcomeUnknown) -> None:
        self._transaction = transaction
        self._left = at
        self._error = error

    async def __aenter__(self) -> Self:
        await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transaction.__aexit__(kind, error, trace)
        self._left -= 1
        if not self._left:
            raise self._error


class Overtaken(Transaction):
    """Runs something else once, before block number `at` begins."""

    def __init__(self, transaction: Transaction, before: Callable[[], Awaitable[object]], *, at: int) -> None:
        self._transaction = transaction
        self._before = before
        self._left = at

    async def __aenter__(self) -> Self:
        self._left -= 1
        if not self._left:
            await self._before()
        await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transaction.__aexit__(kind, error, trace)


class Interrupted:
    """A port of which one method runs something else first, once; if that raises, the method does nothing more."""

    def __init__(self, port: object, method: str, before: Callable[[], Awaitable[object]]) -> None:
        self._port = port
        self._method = method
        self._before: Callable[[], Awaitable[object]] | None = before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._interrupted(found) if name == self._method else found

    def _interrupted(self, found: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **kwargs: object) -> object:
            before, self._before = self._before, None
            if before:
                await before()
            return await found(*args, **kwargs)

        return call


def failing(port: object, method: str, error: BaseException | None = None) -> Interrupted:
    """A port of which one method fails once."""

    async def fail() -> None:
        raise error or UnexpectedError

    return Interrupted(port, method, fail)
