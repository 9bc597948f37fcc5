"""Clock, secrets and image inspection."""

from dishka import Provider, Scope

from adapters.pillow.images import PillowImages
from adapters.system.clock import SystemClock
from adapters.system.secrets import SystemSecrets
from core.ports.clock import Clock
from core.ports.images import Images
from core.ports.secrets import Secrets
from entrypoints.settings import Settings


def system() -> Provider:
    def images(settings: Settings) -> PillowImages:
        return PillowImages(workers=settings.image_workers)

    provider = Provider(scope=Scope.APP)
    provider.provide(SystemClock, provides=Clock)
    provider.provide(SystemSecrets, provides=Secrets)
    provider.provide(images, provides=Images)
    return provider
