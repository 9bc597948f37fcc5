from adapters.memory.database import MemoryDatabase
from adapters.memory.tables import Tables
from core.ports.orphaned_blobs import OrphanedBlobs, Walk
from core.styles.version import StyleVersion, TrainingStatus


class MemoryOrphanedBlobs(OrphanedBlobs):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def among(self, keys: list[str]) -> list[str]:
        tables = self._database.committed
        named = _named(tables)
        return [key for key in keys if key not in named and not _of_a_version(tables, key)]

    async def walk(self) -> Walk | None:
        return self._database.committed.walks.get(1)

    async def keep(self, walk: Walk) -> None:
        self._database.apply([lambda tables: tables.walks.update({1: walk})])


def _named(tables: Tables) -> set[str | None]:
    return {
        *(user.profile_image for user in tables.users.values()),
        *(artist.signature_key for artist in tables.artists.values()),
        *(style.thumbnail_key for style in tables.styles.values()),
        *(upload.key for upload in tables.artwork_uploads.values()),
        *(generation.public_key for generation in tables.generations.values()),
    }


def _of_a_version(tables: Tables, key: str) -> bool:
    folder, _, rest = key.partition("/")
    owner = rest.partition("/")[0]
    return folder in ("training", "samples") and any(
        str(version.id) == owner and _has_objects(tables, version) for version in tables.style_versions.values()
    )


def _has_objects(tables: Tables, version: StyleVersion) -> bool:
    """A version whose artworks were refused has none."""
    return version.training_status is not TrainingStatus.FAILED or bool(tables.artworks[version.id])
