"""The service over a real database."""

from typing import cast

from dishka import Provider, Scope, make_async_container

from core.live_events import StreamTiming
from core.ports.broker import Broker
from core.ports.identity_provider import IdentityProvider
from core.ports.media_files import MediaFiles
from core.secret import Secret
from entrypoints.container.postgres import postgres
from entrypoints.container.use_cases import use_cases
from entrypoints.http.app import create_app
from entrypoints.http.state import state_of
from entrypoints.settings import Settings
from tests.contracts.postgres_world import PostgresWorld
from tests.entrypoints.contract import Contract
from tests.entrypoints.service import UNHURRIED, PreparedIdentityProvider, Service, SwitchableBroker, settings
from tests.support.memory_world import MemoryWorld
from tests.support.wiring import FROM_WORLD


class PostgresService(Service):
    """Like one process of several: each has its own pool and listening connection."""

    def __init__(self, world: PostgresWorld, database_url: str) -> None:
        self.world = cast("MemoryWorld", world)  # as far as signing in needs one
        self.settings = settings(gcs_bucket_name="a-bucket", database_url=Secret(database_url), database_pool_size=6)
        given = world.given | {
            Settings: self.settings,
            MediaFiles: None,
            IdentityProvider: PreparedIdentityProvider(),
            Broker: SwitchableBroker(),
            StreamTiming: UNHURRIED,
        }
        provider = Provider(scope=Scope.APP)
        for part in (*FROM_WORLD, MediaFiles, IdentityProvider, StreamTiming):
            provider.from_context(part, override=part in (Settings, StreamTiming))
        self.container = make_async_container(use_cases(), postgres(), provider, context=given)
        self.app = create_app(self.container, self.settings)
        self.streams = state_of(self.app).streams
        self.contract = Contract(self.app)
