"""The service over a real database."""

from typing import Any, cast

from dishka import Provider, Scope, make_async_container

from adapters.memory.dead_letters import MemoryDeadLetters
from core.live_events import Pace
from core.ports.blob_store import BlobStore
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters
from core.ports.identity_provider import IdentityProvider
from core.ports.images import Images
from core.ports.media_files import MediaFiles
from core.ports.payment_provider import PaymentProvider
from core.ports.secrets import Secrets
from entrypoints.container.postgres import postgres
from entrypoints.container.use_cases import use_cases
from entrypoints.http.app import create_app
from entrypoints.settings import Settings
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.contract import Contract
from tests.entrypoints.service import UNHURRIED, PreparedIdentityProvider, Service, SwitchableBroker, settings
from tests.support.world import MemoryWorld


class PostgresService(Service):
    """As one process of several: each has a pool and a connection that listens, of its own."""

    def __init__(self, world: PostgresWorld, database_url: str) -> None:
        self.world = cast("MemoryWorld", world)  # as far as signing in needs one
        self.settings = settings(gcs_bucket_name="a-bucket", database_url=database_url, database_pool_size=6)
        given: dict[type[Any], object] = {
            Settings: self.settings,
            Clock: world.clock,
            Secrets: world.secrets,
            Images: world.images,
            BlobStore: world.blobs,
            MediaFiles: None,
            IdentityProvider: PreparedIdentityProvider(),
            Broker: SwitchableBroker(),
            DeadLetters: MemoryDeadLetters(),
            PaymentProvider: world.payments,
            Pace: UNHURRIED,
        }
        provider = Provider(scope=Scope.APP)
        for part in given:
            provider.from_context(part, override=part in (Settings, Pace))
        self.container = make_async_container(use_cases(), postgres(), provider, context=given)
        self.app = create_app(self.container, self.settings)
        self.streams = self.app.state.streams
        self.contract = Contract(self.app)
