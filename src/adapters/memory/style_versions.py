from datetime import datetime

import msgspec

from adapters.memory.database import Reads, UnitOfWork
from adapters.memory.near_copies import near_copies
from adapters.memory.tables import Tables, deep_copy
from adapters.memory.tasks import waits
from adapters.memory.transaction import MemoryTransaction
from core.identifiers import StyleId, UserId, VersionId
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.requester import Requester
from core.styles.errors import StyleNotFound, VersionInTraining, VersionNotFound
from core.styles.model import Style
from core.styles.repository import StyleVersions
from core.styles.version import Artwork, NearCopy, Review, StyleVersion, TrainingProgress, TrainingStatus
from core.styles.views import (
    ArtworkView,
    CheckingProgress,
    RightsView,
    StyleVersionsReader,
    VersionCard,
    VersionCards,
    VersionDetail,
    checking_progress,
)
from core.tasks.outcome import Outcome


class MemoryStyleVersions(StyleVersions):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, version_id: VersionId, *, lock: bool = False) -> StyleVersion:
        if lock:
            await self._lock(_found(self._transaction.tables, version_id).style_id)
        return deep_copy(_found(self._transaction.tables, version_id))

    async def of_number(self, style_id: StyleId, number: int) -> StyleVersion:
        for version in await self.of_style(style_id):
            if version.number == number:
                return version
        raise VersionNotFound

    async def latest(self, style_id: StyleId, *, lock: bool = False) -> StyleVersion:
        if lock:
            await self._lock(style_id)
        versions = await self.of_style(style_id)
        if not versions:
            raise StyleNotFound
        return versions[-1]

    async def _lock(self, style_id: StyleId) -> None:
        """The style's lock is that of its versions too."""
        await self._transaction.lock("style", style_id)

    async def of_style(self, style_id: StyleId) -> list[StyleVersion]:
        return [deep_copy(version) for version in versions_of(self._transaction.tables, style_id)]

    async def add(self, version: StyleVersion) -> None:
        stored = deep_copy(version)

        def operation(tables: Tables) -> None:
            found_style(tables, version.style_id)
            _check_alone(tables, version)
            tables.style_versions[version.id] = stored
            tables.artworks[version.id] = ()

        self._transaction.write(operation)

    async def save(self, version: StyleVersion) -> None:
        stored = deep_copy(version)

        def operation(tables: Tables) -> None:
            _found(tables, version.id)
            _check_alone(tables, version)
            tables.style_versions[version.id] = stored

        await self._lock(version.style_id)
        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.style(version.style_id))

    async def add_artworks(self, version: StyleVersion, artworks: list[Artwork]) -> None:
        added = tuple(deep_copy(artwork) for artwork in artworks)

        def operation(tables: Tables) -> None:
            tables.artworks[version.id] = added

        self._transaction.write(operation)

    async def artworks(self, version_id: VersionId) -> list[Artwork]:
        return [deep_copy(artwork) for artwork in self._transaction.tables.artworks.get(version_id, ())]

    async def near_copies(self, hashes: list[int], *, of_others_than: UserId, limit: int) -> list[NearCopy]:
        return near_copies(self._transaction.database.committed, hashes, of_others_than, limit)

    async def advance(self, version_id: VersionId, progress: TrainingProgress) -> Outcome:
        async with MemoryTransaction(UnitOfWork(self._transaction.database)) as alone:
            version = await MemoryStyleVersions(alone).of_id(version_id, lock=True)
            behind = version.progress is not None and progress.current_epoch <= version.progress.current_epoch
            if version.training_status.ended or behind:
                return Outcome(applied=False, status=version.training_status.value)
            status = TrainingStatus.TRAINING
            await MemoryStyleVersions(alone).save(
                msgspec.structs.replace(
                    version, training_status=status, progress=progress, updated_at=progress.last_updated
                )
            )
            return Outcome(applied=True, status=status.value)

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            for version in _stalled(tables, inactive_since):
                if waits(tables, version.task_id):
                    tables.style_versions[version.id] = msgspec.structs.replace(version, updated_at=at)

        self._transaction.write(operation)

    async def stalled(self, *, since: datetime, limit: int) -> list[VersionId]:
        found = [(version.updated_at, version.id) for version in _stalled(self._transaction.tables, since)]
        return [version_id for _, version_id in sorted(found)[:limit]]


class MemoryStyleVersionsReader(StyleVersionsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(self, style_id: StyleId, *, viewer: Requester) -> VersionCards:
        style = self._seen(style_id, viewer)
        return [self._card(style, version) for version in reversed(versions_of(self._reads.tables, style_id))]

    async def detail(self, style_id: StyleId, number: int, *, viewer: Requester) -> VersionDetail:
        style = self._seen(style_id, viewer)
        for version in versions_of(self._reads.tables, style_id):
            if version.number == number:
                artworks = await artwork_views(self._reads.tables, version.id, self._blobs)
                return VersionDetail(**msgspec.structs.asdict(self._card(style, version)), artworks=artworks)
        raise VersionNotFound

    def _seen(self, style_id: StyleId, viewer: Requester) -> Style:
        style = found_style(self._reads.tables, style_id)
        if not viewer.is_admin:
            style.check_owner(viewer.id)
        return style

    def _card(self, style: Style, version: StyleVersion) -> VersionCard:
        version = deep_copy(version)
        return VersionCard(
            version=version.number,
            in_use=version.id == style.version_id,
            training_status=version.training_status.value,
            artwork_count=len(self._reads.tables.artworks[version.id]),
            progress=version.progress,
            checking=checking(self._reads.tables, version),
            failure=version.failure,
            review=version.review,
            model_path=version.model_path,
            training_metric=version.training_metric,
            rights=RightsView(style.artist_id, **msgspec.structs.asdict(version.rights)),
            created_at=version.created_at,
            updated_at=version.updated_at,
            completed_at=version.completed_at,
        )


def found_style(tables: Tables, style_id: StyleId) -> Style:
    style = tables.styles.get(style_id)
    if style is None:
        raise StyleNotFound
    return style


def versions_of(tables: Tables, style_id: StyleId) -> list[StyleVersion]:
    versions = [version for version in tables.style_versions.values() if version.style_id == style_id]
    return sorted(versions, key=lambda version: version.number)


def checking(tables: Tables, version: StyleVersion) -> CheckingProgress | None:
    check = tables.artwork_checks.get(version.id)
    if check is None or version.training_status is not TrainingStatus.PENDING:
        return None
    return checking_progress(check.passed, check.files, check.updated_at)


async def artwork_views(tables: Tables, version_id: VersionId, blobs: BlobStore) -> list[ArtworkView]:
    return [
        ArtworkView(
            id=artwork.id,
            image_url=await blobs.signed_url(artwork.key),
            caption=artwork.caption,
            tags=list(artwork.tags),
            width=artwork.width,
            height=artwork.height,
        )
        for artwork in tables.artworks[version_id]
    ]


def _found(tables: Tables, version_id: VersionId) -> StyleVersion:
    version = tables.style_versions.get(version_id)
    if version is None:
        raise StyleNotFound
    return version


def _check_alone(tables: Tables, version: StyleVersion) -> None:
    """Raises VersionInTraining."""
    others = (other for other in versions_of(tables, version.style_id) if other.id != version.id)
    if not version.training_status.ended and any(not other.training_status.ended for other in others):
        raise VersionInTraining


def _stalled(tables: Tables, since: datetime) -> list[StyleVersion]:
    return [
        version
        for version in tables.style_versions.values()
        if not version.training_status.ended and version.review is not Review.PENDING and version.updated_at <= since
    ]
