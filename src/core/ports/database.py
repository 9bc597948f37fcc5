from typing import Protocol


class Database(Protocol):
    async def reachable(self) -> bool:
        """Whether the database answers now; False within 2 seconds when it does not."""
        ...
