"""Queues and objects in the data directory."""

from collections.abc import Iterator

from dishka import AnyOf, Provider, Scope

from adapters.filesystem.blobs import FilesystemBlobStore
from adapters.filesystem.broker import FilesystemBroker
from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.task_source import TaskSource
from core.ports.blob_store import BlobStore
from core.ports.broker import Broker
from core.ports.clock import Clock
from core.ports.dead_letters import DeadLetters
from core.ports.media_files import MediaFiles
from entrypoints.settings import Settings


def in_process_queues() -> Provider:
    def broker(settings: Settings) -> Iterator[FilesystemBroker]:
        opened = FilesystemBroker(settings.data_dir / "queues")
        yield opened
        opened.close()

    provider = Provider(scope=Scope.APP)
    provider.provide(broker, provides=AnyOf[Broker, TaskSource])
    provider.provide(MemoryDeadLetters, provides=DeadLetters)
    return provider


def folder() -> Provider:
    def blobs(settings: Settings, clock: Clock) -> FilesystemBlobStore:
        return FilesystemBlobStore(
            settings.data_dir / "media",
            clock,
            base_url=settings.api_base_url,
            secret=settings.signing_secret().encode(),
        )

    provider = Provider(scope=Scope.APP)
    provider.provide(blobs, provides=AnyOf[BlobStore, MediaFiles])
    return provider
