from dataclasses import dataclass

from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.errors import StyleNotFound
from core.styles.repository import Styles


@dataclass(frozen=True, slots=True)
class CloseExpiredStyles:
    """Close styles whose validity has ended, one batch, so that they are no longer listed.

    Requests are refused by the time itself. Safe to run concurrently: each style is checked again under its lock.
    """

    styles: Styles
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many styles were found."""
        async with self.transaction:
            style_ids = await self.styles.expired(at=self.clock.now(), limit=limit)
        for style_id in style_ids:
            await self._close(style_id)
        return len(style_ids)

    async def _close(self, style_id: StyleId) -> None:
        async with self.transaction:
            try:
                style = await self.styles.of_id(style_id, lock=True)
            except StyleNotFound:
                return
            now = self.clock.now()
            if style.expired(at=now):
                await self.styles.save(style.close(at=now))
