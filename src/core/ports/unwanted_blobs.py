from typing import Protocol


class UnwantedBlobs(Protocol):
    """What nothing refers to any more, in the open transaction: kept in mind until the store no longer has it.

    A place is an object's key or, with a slash at its end, everything below it. No place is used again.
    """

    async def add(self, *places: str) -> None:
        """They are to be removed if and only if the transaction commits; one that is known already is no error."""
        ...

    async def some(self, *, limit: int) -> list[str]:
        """Up to `limit` of them; others may be told of the same ones."""
        ...

    async def forget(self, places: list[str]) -> None:
        """They have been removed."""
        ...
