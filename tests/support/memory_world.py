from collections.abc import Mapping
from typing import Any

import dishka

from adapters.memory.database import MemoryDatabase
from entrypoints.container.memory import memory
from tests.support.wiring import parts_over
from tests.support.world import World


class MemoryWorld(World):
    def __init__(self, parts: dishka.Container | None = None, given: Mapping[Any, object] | None = None) -> None:
        super().__init__()
        self.wire(parts or parts_over(memory), given or {})
        self.database = self.parts.get(MemoryDatabase)

    async def wait_until_listening(self) -> None:
        return

    async def lock_is_awaited(self) -> bool:
        return self.database.locks.awaited
