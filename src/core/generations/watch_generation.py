from dataclasses import dataclass

from core.generations.model import Status
from core.generations.views import GenerationsReader
from core.identifiers import GenerationId
from core.live_events import State, StreamEvents, Watch, Watcher
from core.ports import changes


@dataclass(frozen=True, slots=True)
class WatchGeneration:
    """Stream the state of a generation until it has ended."""

    generations: GenerationsReader
    watch: Watch

    def __call__(
        self, watcher: Watcher | None, generation_id: GenerationId, *, known: str | None = None
    ) -> StreamEvents:
        """Events with a GenerationView each; a state whose id is `known` is not sent again.

        Raises GenerationNotFound at the first step if the generation is not visible.
        """

        async def look() -> State:
            image = await self.generations.detail(generation_id, viewer=watcher.requester.id if watcher else None)
            step = image.progress.current_step if image.progress else 0
            place = image.queue.position if image.queue else 0
            version = f"{image.status}.{step}.{place}.{image.updated_at.isoformat()}"
            return State(image.status, version, Status(image.status).ended, image)

        return self.watch.until_ended(changes.generation(generation_id), watcher, look, known=known)
