from dataclasses import dataclass
from datetime import datetime

from core.derivatives import derivatives_of
from core.generations.model import Status
from core.generations.notification import end_notification
from core.generations.repository import Generations
from core.identifiers import GenerationId, StyleId
from core.ports.blob_store import BlobStore
from core.ports.clock import Clock
from core.ports.ids import Ids
from core.ports.notifier import Notifier
from core.ports.token_ledger import TokenLedger
from core.ports.transaction import Transaction
from core.styles.errors import StyleNotFound
from core.styles.model import Style
from core.styles.repository import Styles

BATCH = 100
"""Generations that are looked up at once; each is changed in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class CarryOutTakedown:
    """Cancel and refund the queued generations of a withdrawn style, and hide its published images if they go too.

    Generations that are processed are left to end as any other: completed and paid, or failed and refunded.

    Safe to repeat, also after a crash, and to run concurrently. None are added meanwhile: the withdrawal's commit
    precedes, and from then on nothing is requested or, without its images, published.
    """

    styles: Styles
    generations: Generations
    ledger: TokenLedger
    notifier: Notifier
    blobs: BlobStore
    transaction: Transaction
    ids: Ids
    clock: Clock

    async def __call__(self, style_id: StyleId, *, until: datetime | None = None) -> bool:
        """Return whether all is done; False if something is left for another call because it is `until`."""
        while (style := await self._pending(style_id)) is not None:
            if await self._round(style) == 0:
                await self._finish(style)
            elif until is not None and self.clock.now() >= until:
                return False
        return True

    async def _pending(self, style_id: StyleId) -> Style | None:
        async with self.transaction:
            try:
                style = await self.styles.of_id(style_id)
            except StyleNotFound:
                return None
        return style if style.takedown and style.takedown.pending else None

    async def _round(self, style: Style) -> int:
        """Return how many generations were found."""
        keeps_images = style.takedown is None or style.takedown.keeps_images
        async with self.transaction:
            queued = await self.generations.queued_with(style.id, limit=BATCH)
            published = [] if keeps_images else await self.generations.published_with(style.id, limit=BATCH)
        for generation_id in queued:
            await self._cancel(generation_id)
        for generation_id in published:
            await self._hide(generation_id)
        return len(queued) + len(published)

    async def _finish(self, style: Style) -> None:
        """Unless the images were withdrawn too in the meantime."""
        async with self.transaction:
            locked = await self.styles.of_id(style.id, lock=True)
            if locked.takedown is not None and locked.takedown == style.takedown:
                await self.styles.save(locked.finish_takedown())

    async def _cancel(self, generation_id: GenerationId) -> None:
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if generation.status is not Status.QUEUED:
                return
            generation = generation.withdraw(at=self.clock.now())
            await self.generations.save(generation)
            await self.ledger.void(generation.hold_id, at=generation.updated_at)
            await self.notifier.notify(end_notification(await self.ids.notification(), generation))

    async def _hide(self, generation_id: GenerationId) -> None:
        """The public copies are deleted before the commit, so that what is stored as private is not public."""
        async with self.transaction:
            public_key = (await self.generations.of_id(generation_id)).public_key
        if public_key is None:
            return
        await self.blobs.delete(public_key, *derivatives_of(public_key))
        async with self.transaction:
            generation = await self.generations.of_id(generation_id, lock=True)
            if generation.public_key == public_key:
                await self.generations.save(
                    generation.edit(at=self.clock.now(), description=generation.description, public_key=None)
                )
