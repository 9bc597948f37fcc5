from dataclasses import dataclass

from core.identifiers import StyleId
from core.live_events import State, StreamEvents, Watch, Watcher
from core.ports import changes
from core.styles.version import TrainingStatus
from core.styles.views import OwnStyleDetail, StylesReader


@dataclass(frozen=True, slots=True)
class WatchTraining:
    """Stream the state of a training until it has ended."""

    styles: StylesReader
    watch: Watch

    def __call__(self, watcher: Watcher | None, style_id: StyleId, *, known: str | None = None) -> StreamEvents:
        """Events with a StyleDetail each; a state whose id is `known` is not sent again.

        Raises StyleNotFound at the first step if the style is not visible.
        """

        async def look() -> State:
            style = await self.styles.detail(style_id, viewer=watcher.requester if watcher else None)
            epoch = style.progress.current_epoch if style.progress else 0
            checking = style.checking if isinstance(style, OwnStyleDetail) else None
            checked = checking.checked_files if checking else 0
            version = f"{style.training_status}.{epoch}.{checked}.{style.updated_at.isoformat()}"
            return State(style.training_status, version, TrainingStatus(style.training_status).ended, style)

        return self.watch.until_ended(changes.style(style_id), watcher, look, known=known)
