from contextlib import aclosing
from dataclasses import dataclass

from core.generations.model import Status
from core.generations.views import GenerationsReader, GenerationView
from core.identifiers import GenerationId
from core.live_events import Event, Events, Watch, Watcher
from core.ports import changes


@dataclass(frozen=True, slots=True)
class WatchGeneration:
    """See an image come along, until it has ended."""

    generations: GenerationsReader
    watch: Watch

    async def __call__(
        self, watcher: Watcher | None, generation_id: GenerationId, *, known: str | None = None
    ) -> Events:
        """Events with a GenerationView each; the state whose id is `known` is not told again.

        Raises GenerationNotFound: at the first step for who may not see it.
        """
        status = None
        viewer = watcher.requester.id if watcher else None
        async with aclosing(self.watch(changes.generation(generation_id), watcher)) as looks:
            async for _ in looks:
                async with self.watch.turn:
                    image = await self.generations.detail(generation_id, viewer=viewer)
                ended = Status(image.status).ended
                version = _version(image)
                if version != known:
                    yield Event("progress" if image.status == status else "status", version, image)
                elif not ended:
                    yield None
                if ended:
                    return
                known, status = version, image.status


def _version(image: GenerationView) -> str:
    """Differs when the image has moved on; not for each fresh signature of a URL."""
    step = image.progress.current_step if image.progress else 0
    place = image.queue.position if image.queue else 0
    return f"{image.status}.{step}.{place}.{image.updated_at.isoformat()}"
