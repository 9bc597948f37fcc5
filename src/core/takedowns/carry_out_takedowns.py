import logging
from dataclasses import dataclass

from core.errors import Category, DomainError
from core.identifiers import StyleId
from core.ports.clock import Clock
from core.ports.transaction import Transaction
from core.styles.repository import Styles
from core.takedowns.carry_out_takedown import CarryOutTakedown

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CarryOutTakedowns:
    """Carry out takedowns that the withdrawal itself did not finish, one batch. Safe to run concurrently.

    An error in one does not stop the others.
    """

    styles: Styles
    carry_out: CarryOutTakedown
    transaction: Transaction
    clock: Clock

    async def __call__(self, *, limit: int = 100) -> int:
        """Return how many were finished."""
        async with self.transaction:
            style_ids = await self.styles.pending_takedowns(limit=limit)
        return sum([await self._finished(style_id) for style_id in style_ids])

    async def _finished(self, style_id: StyleId) -> bool:
        try:
            return await self.carry_out(style_id)
        except DomainError as error:
            if error.category is Category.UNAVAILABLE:
                raise
            _log.exception("takedown cannot be carried out style=%s", style_id)
            return False
