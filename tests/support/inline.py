from collections.abc import Callable
from typing import TypeVar

from adapters.pillow.worker_processes import Runner

T = TypeVar("T")


class Inline(Runner):
    """Runs functions at once, in this process."""

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        return function(*arguments)
