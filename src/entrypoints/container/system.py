"""Clock, secrets and image inspection."""

from collections.abc import AsyncIterator

from dishka import AsyncContainer, Provider, Scope

from adapters.pillow.images import PillowImages
from adapters.system.clock import SystemClock
from adapters.system.secrets import SystemSecrets
from core.ports.clock import Clock
from core.ports.images import Images
from core.ports.secrets import Secrets
from entrypoints.settings import Settings


def system() -> Provider:
    async def images(settings: Settings) -> AsyncIterator[PillowImages]:
        images = PillowImages(workers=settings.image_workers)
        yield images
        await images.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(SystemClock, provides=Clock)
    provider.provide(SystemSecrets, provides=Secrets)
    provider.provide(images, provides=Images)
    return provider


async def start_image_workers(container: AsyncContainer) -> None:
    """Start the processes that decode images before the first image needs them. Raises ImagesUnavailable."""
    images = await container.get(Images)
    if isinstance(images, PillowImages):
        await images.start()
