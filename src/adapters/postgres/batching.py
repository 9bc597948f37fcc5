import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Call = TypeVar("Call")
Result = TypeVar("Result")

MAX_BATCH = 32
"""Maximum calls per batch: larger batches gain little and keep the first caller waiting."""


class Batcher(Generic[Call, Result]):
    """Sends calls that wait at the same time as one batch.

    A call is sent at once if nothing is under way; calls that arrive meanwhile form the next batch. An idle service has
    no added latency, a busy one fewer and larger statements. Cancelling a caller neither disturbs the others nor
    withdraws its call.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Call]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int = MAX_BATCH,
    ) -> None:
        """`send` returns results in the order of the calls; what it raises is raised to each caller."""
        self._send = send
        self._max_batch = max_batch
        self._waiting: list[tuple[Call, asyncio.Future[Result]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, call: Call) -> Result:
        return await self.put(call)

    def put(self, call: Call) -> "asyncio.Future[Result]":
        """The result to come."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._sending is None:
            # Starts after the callers that are ready now, so that they join this batch. It may outlive this request.
            self._sending = asyncio.create_task(self._send_all(), context=Context())
        return future

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
                await self._send_batch([entry for entry in batch if not entry[1].done()])
        finally:
            self._sending = None

    async def _send_batch(self, batch: list[tuple[Call, asyncio.Future[Result]]]) -> None:
        if not batch:
            return
        try:
            outcomes = await self._send([call for call, _ in batch])
        except Exception as error:
            outcomes = [error] * len(batch)
        except BaseException:  # the process is stopping
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
