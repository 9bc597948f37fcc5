from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from adapters.memory.accounts import kept
from adapters.memory.database import Reads, UnitOfWork
from adapters.memory.paging import page_of
from adapters.memory.tables import Tables, deep_copy
from adapters.memory.tasks import waits
from adapters.memory.transaction import MemoryTransaction
from core.accounts.pictures import picture_urls
from core.derivatives import ImageUrls, only_original, original, public_urls
from core.generations.errors import GenerationNotFound, ResultTaken
from core.generations.model import Generation, GenerationProgress, Status
from core.generations.repository import Generations
from core.generations.views import (
    LATEST,
    FeedItem,
    FeedQuery,
    FeedSort,
    GenerationArtist,
    GenerationsReader,
    GenerationStyle,
    GenerationUser,
    GenerationView,
    GrantedLicense,
    QueuePlace,
    StatusFilter,
)
from core.identifiers import GenerationId, StyleId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.styles.errors import StyleNotFound, StyleNotReady
from core.tasks.outcome import Outcome

_STATUSES = {
    StatusFilter.ALL: frozenset(Status),
    StatusFilter.QUEUED: frozenset({Status.QUEUED}),
    StatusFilter.PROCESSING: frozenset({Status.PROCESSING, Status.RETRYING}),
    StatusFilter.COMPLETED: frozenset({Status.COMPLETED}),
    StatusFilter.FAILED: frozenset({Status.FAILED, Status.CANCELLED}),
}


class MemoryGenerations(Generations):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def of_id(self, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        if lock:
            await self._transaction.lock("generation", generation_id)
        return deep_copy(_found(self._transaction.tables, generation_id))

    async def lock_to_end(self, generation_id: GenerationId) -> Generation:
        return await self.of_id(generation_id, lock=True)

    async def of_owner(self, owner_id: UserId, generation_id: GenerationId, *, lock: bool = False) -> Generation:
        if _found(self._transaction.tables, generation_id).owner_id != owner_id:
            raise GenerationNotFound
        return await self.of_id(generation_id, lock=lock)

    async def add(self, generation: Generation) -> None:
        stored = deep_copy(generation)

        def operation(tables: Tables) -> None:
            kept(tables, generation.owner_id)
            _check_requestable(tables, generation)
            tables.generations[generation.id] = stored

        self._transaction.write(operation)

    async def save(self, generation: Generation) -> None:
        stored = deep_copy(generation)

        def operation(tables: Tables) -> None:
            _check_result(tables, before=_found(tables, generation.id), after=stored)
            tables.generations[generation.id] = stored

        await self._transaction.lock("generation", generation.id)
        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.generation(generation.id))

    async def advance(self, generation_id: GenerationId, progress: GenerationProgress) -> Outcome:
        async with MemoryTransaction(UnitOfWork(self._transaction.database)) as alone:
            generation = await MemoryGenerations(alone).of_id(generation_id, lock=True)
            behind = generation.progress is not None and progress.current_step <= generation.progress.current_step
            if generation.status.ended or behind:
                return Outcome(applied=False, status=generation.status.value)
            generation = msgspec.structs.replace(
                generation,
                status=Status.PROCESSING,
                progress=progress,
                attempt_failed_at=None,
                updated_at=progress.last_updated,
            )
            await MemoryGenerations(alone).save(generation)
            return Outcome(applied=True, status=generation.status.value)

    async def queued_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        return self._oldest(lambda image: image.style_id == style_id and image.status is Status.QUEUED, limit)

    async def published_with(self, style_id: StyleId, *, limit: int) -> list[GenerationId]:
        return self._oldest(lambda image: image.style_id == style_id and image.is_public, limit)

    def _oldest(self, matches: Callable[[Generation], bool], limit: int) -> list[GenerationId]:
        images = filter(matches, self._transaction.tables.generations.values())
        return [image_id for _, image_id in sorted((image.created_at, image.id) for image in images)[:limit]]

    async def restart_time_outs(self, *, inactive_since: datetime, at: datetime) -> None:
        def operation(tables: Tables) -> None:
            for generation in _stalled(tables, inactive_since):
                if waits(tables, generation.task_id):
                    tables.generations[generation.id] = msgspec.structs.replace(generation, due_at=at)

        self._transaction.write(operation)

    async def stalled(self, *, since: datetime, limit: int) -> list[GenerationId]:
        found = [
            (generation.created_at, generation.id)
            for generation in _stalled(self._transaction.tables, since)
            if generation.attempt_failed_at is None
        ]
        return [generation_id for _, generation_id in sorted(found)[:limit]]

    async def unresumed(self, *, since: datetime, limit: int) -> list[GenerationId]:
        found = [
            (generation.attempt_failed_at, generation.id)
            for generation in self._transaction.tables.generations.values()
            if generation.attempt_failed_at is not None and generation.attempt_failed_at <= since
        ]
        return [generation_id for _, generation_id in sorted(found)[:limit]]


class MemoryGenerationsReader(GenerationsReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def detail(self, generation_id: GenerationId, *, viewer: UserId | None) -> GenerationView:
        generation = _found(self._reads.tables, generation_id)
        if generation.owner_id != viewer and not generation.is_public:
            raise GenerationNotFound
        return await self._view(generation, viewer)

    async def feed(self, query: FeedQuery, *, viewer: UserId | None, page: PageRequest) -> Page[FeedItem]:
        tables = self._reads.tables

        def place(generation: Generation) -> Keyset:
            rank = likes(tables, generation.id) if query.sort is FeedSort.POPULAR else 0
            return Keyset(rank, generation.created_at, generation.id)

        found = (generation for generation in tables.generations.values() if _matches(tables, generation, query))
        shown, following = page_of(found, place=place, page=page)
        return Page([self._item(generation, viewer) for generation in shown], following)

    async def list_own(
        self, owner_id: UserId, *, status: StatusFilter, is_public: bool | None, page: PageRequest
    ) -> Page[GenerationView]:
        own = (
            generation
            for generation in self._reads.tables.generations.values()
            if generation.owner_id == owner_id
            and generation.status in _STATUSES[status]
            and is_public in (None, generation.is_public)
        )
        shown, following = page_of(own, place=_place, page=page)
        return Page([await self._view(generation, owner_id) for generation in shown], following)

    async def last_in_queue(self) -> QueuePlace:
        tables = self._reads.tables
        return QueuePlace.at(len(_queue(tables)), quickest=_quickest(tables))

    async def _view(self, generation: Generation, viewer: UserId | None) -> GenerationView:
        tables = self._reads.tables
        failed = generation.status in (Status.FAILED, Status.CANCELLED)
        images = await image_urls(generation, viewer, self._blobs)
        return GenerationView(
            id=generation.id,
            user_id=generation.owner_id,
            user=self._user(generation),
            style=_style(tables, generation),
            status=generation.status.value,
            consumed_tokens=generation.consumed_tokens,
            license=GrantedLicense(generation.license_type.value, generation.license_version),
            aspect_ratio=generation.aspect_ratio.value,
            seed=generation.seed,
            tags=list(generation.prompt_tags),
            description=generation.description,
            is_public=generation.is_public,
            like_count=likes(tables, generation.id),
            comment_count=_comments(tables, generation),
            is_liked=(generation.id, viewer) in tables.likes,
            result_url=original(images),
            images=images,
            progress=generation.progress,
            queue=_queue_place(tables, generation),
            error_message=generation.failure.message if failed and generation.failure else None,
            refunded=generation.status in (Status.FAILED, Status.CANCELLED),
            created_at=generation.created_at,
            updated_at=generation.updated_at,
        )

    def _item(self, generation: Generation, viewer: UserId | None) -> FeedItem:
        tables = self._reads.tables
        images = public_urls(str(generation.public_key), self._blobs)
        return FeedItem(
            id=generation.id,
            user=self._user(generation),
            style=_style(tables, generation),
            result_url=images.original,
            images=images,
            description=generation.description,
            aspect_ratio=generation.aspect_ratio.value,
            like_count=likes(tables, generation.id),
            comment_count=_comments(tables, generation),
            is_liked=(generation.id, viewer) in tables.likes,
            tags=list(generation.prompt_tags),
            created_at=generation.created_at,
        )

    def _user(self, generation: Generation) -> GenerationUser:
        user = self._reads.tables.users[generation.owner_id]
        images = picture_urls(user.profile_image, self._blobs)
        return GenerationUser(user.id, user.username, original(images), images)


async def image_urls(generation: Generation, viewer: UserId | None, blobs: BlobStore) -> ImageUrls | None:
    if generation.public_key is not None:
        return public_urls(generation.public_key, blobs)
    if generation.result_key is not None and generation.owner_id == viewer:
        return only_original(await blobs.signed_url(generation.result_key))
    return None


def _stalled(tables: Tables, since: datetime) -> list[Generation]:
    return [
        generation
        for generation in tables.generations.values()
        if not generation.status.ended and generation.last_activity_at <= since
    ]


def _found(tables: Tables, generation_id: GenerationId) -> Generation:
    generation = tables.generations.get(generation_id)
    if generation is None:
        raise GenerationNotFound
    return generation


def _check_requestable(tables: Tables, generation: Generation) -> None:
    """Raises StyleNotFound or StyleNotReady."""
    style = tables.styles.get(generation.style_id)
    if style is None:
        raise StyleNotFound
    if style.takedown is not None:
        raise StyleNotReady


def _check_result(tables: Tables, *, before: Generation, after: Generation) -> None:
    """Raises ResultTaken."""
    if after.result_key in (None, before.result_key):
        return
    if any(other.result_key == after.result_key for other in tables.generations.values()):
        raise ResultTaken


def _matches(tables: Tables, generation: Generation, query: FeedQuery) -> bool:
    return (
        generation.is_public
        and query.user_id in (None, generation.owner_id)
        and query.style_id in (None, generation.style_id)
        and (query.followed_by is None or (query.followed_by, generation.owner_id) in tables.follows)
        and set(query.tags) <= set(generation.prompt_tags)
    )


def _style(tables: Tables, generation: Generation) -> GenerationStyle:
    artist = tables.artists[generation.artist_id]
    return GenerationStyle(
        generation.style_id,
        tables.styles[generation.style_id].name,
        generation.style_version,
        GenerationArtist(artist.user_id, artist.artist_name),
    )


def likes(tables: Tables, generation_id: GenerationId) -> int:
    return sum(liked == generation_id for liked, _ in tables.likes)


def _comments(tables: Tables, generation: Generation) -> int:
    return sum(comment.generation_id == generation.id for comment in tables.comments.values())


def _place(generation: Generation) -> Keyset:
    return Keyset(0, generation.created_at, generation.id)


def _queue(tables: Tables) -> list[Generation]:
    return [generation for generation in tables.generations.values() if generation.status is Status.QUEUED]


def _queue_place(tables: Tables, generation: Generation) -> QueuePlace | None:
    if generation.status is not Status.QUEUED:
        return None
    order = (generation.created_at, generation.id)
    ahead = sum((other.created_at, other.id) < order for other in _queue(tables))
    return QueuePlace.at(ahead + 1, quickest=_quickest(tables))


def _quickest(tables: Tables) -> timedelta | None:
    made = [
        (generation.ended_at, generation.ended_at - generation.created_at)
        for generation in tables.generations.values()
        if generation.status is Status.COMPLETED and generation.ended_at is not None
    ]
    latest = sorted(made, reverse=True)[:LATEST]
    return min((took for _, took in latest), default=None)
