import asyncio
import math
from collections.abc import AsyncIterator

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """How long the simulated work takes."""

    training_seconds: float = 8.0
    generation_seconds: float = 4.0
    retry_seconds: float = 1.0
    """Delay before the inference server's second attempt; doubled before the third."""
    reports: int = 8
    """How many progress reports are sent."""


class Stage(msgspec.Struct, frozen=True):
    done: int
    percent: float
    seconds_left: int


async def stages(total: int, *, seconds: float, reports: int) -> AsyncIterator[Stage]:
    """Yield from 0 to `total` units of work over the given time."""
    for report in range(reports + 1):
        if report:
            await asyncio.sleep(seconds / reports)
        share = report / reports
        yield Stage(round(total * share), round(100 * share, 1), math.ceil(seconds * (1 - share)))
