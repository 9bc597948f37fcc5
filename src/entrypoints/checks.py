import logging
from datetime import timedelta

from dishka import AsyncContainer

from core.artwork_uploads.check_artworks import CheckArtworks
from core.errors import DomainError
from core.ports.changes import ARTWORK_CHECKS, Changes

POLL = timedelta(seconds=30)
"""After which checks are looked for without a notification: another process may have died at one."""
BATCH = 10
"""Files of a style that are checked before the next style's turn."""

_log = logging.getLogger(__name__)


async def run_checks(container: AsyncContainer) -> None:
    """Check the artworks of styles that were made of uploads, until cancelled, despite failures."""
    changes = await container.get(Changes)
    with changes.subscribe(ARTWORK_CHECKS) as subscription:
        while True:
            if not await _checked(container):
                await subscription.changed(within=POLL)


async def _checked(container: AsyncContainer) -> bool:
    """Whether there was something to check, and it could be checked."""
    async with container() as scope:
        check = await scope.get(CheckArtworks)
        try:
            return await check(limit=BATCH) > 0
        except DomainError as error:
            _log.warning("checks of artworks are postponed reason=%s", error)
        except Exception:
            _log.exception("check of artworks failed")
    return False
