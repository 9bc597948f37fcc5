from typing import Protocol


class DiscardedObjects(Protocol):
    """Discarded objects, recorded in the open transaction until they are deleted from the store.

    An entry is an object's key, or a prefix with a trailing slash for everything below it. Keys are never reused.
    """

    async def add(self, *entries: str) -> None:
        """Record entries for deletion if the transaction commits; existing ones are no error."""
        ...

    async def batch(self, *, limit: int) -> list[str]:
        """Up to `limit` entries; concurrent calls may return the same ones."""
        ...

    async def remove(self, entries: list[str]) -> None:
        """Remove entries whose objects were deleted."""
        ...
