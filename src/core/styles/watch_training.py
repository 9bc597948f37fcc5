from contextlib import aclosing
from dataclasses import dataclass

from core.identifiers import StyleId
from core.live_events import Event, Events, Watch, Watcher
from core.ports import changes
from core.styles.model import TrainingStatus
from core.styles.views import StyleDetail, StylesReader


@dataclass(frozen=True, slots=True)
class WatchTraining:
    """See a style's training come along, until it has ended."""

    styles: StylesReader
    watch: Watch

    async def __call__(self, watcher: Watcher | None, style_id: StyleId, *, known: str | None = None) -> Events:
        """Events with a StyleDetail each; the state whose id is `known` is not told again.

        Raises StyleNotFound: at the first step for who may not see it.
        """
        status = None
        viewer = watcher.requester if watcher else None
        async with aclosing(self.watch(changes.style(style_id), watcher)) as looks:
            async for _ in looks:
                async with self.watch.turn:
                    style = await self.styles.detail(style_id, viewer=viewer)
                ended = TrainingStatus(style.training_status).ended
                version = _version(style)
                if version != known:
                    yield Event("progress" if style.training_status == status else "status", version, style)
                elif not ended:
                    yield None
                if ended:
                    return
                known, status = version, style.training_status


def _version(style: StyleDetail) -> str:
    """Differs when the training has moved on; not for each fresh signature of a URL."""
    epoch = style.progress.current_epoch if style.progress else 0
    return f"{style.training_status}.{epoch}.{style.updated_at.isoformat()}"
