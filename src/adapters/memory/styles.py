from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from adapters.memory.accounts import followers, found, kept
from adapters.memory.database import Reads
from adapters.memory.near_copies import near_copy_views
from adapters.memory.paging import page_of
from adapters.memory.style_versions import (
    MemoryStyleVersions,
    artwork_views,
    checking,
    found_style,
    versions_of,
)
from adapters.memory.tables import Tables, Uses, deep_copy
from adapters.memory.transaction import MemoryTransaction
from core.accounts.pictures import picture_urls
from core.derivatives import ImageUrls, derivatives_of, image_urls, original, public_urls
from core.generations.model import Generation, Status
from core.identifiers import StyleId, UserId
from core.paging import Keyset, Page, PageRequest
from core.ports import changes
from core.ports.blob_store import BlobStore
from core.requester import Requester
from core.styles.errors import DuplicateStyleName, StyleNotFound, StyleUsed
from core.styles.model import Offer, Style
from core.styles.repository import Portfolio, Styles
from core.styles.version import SAMPLES, Artwork, StyleVersion
from core.styles.views import (
    LIKED,
    RECOMMENDED,
    NearCopies,
    OwnStyleCard,
    OwnStyleDetail,
    RecommendedTag,
    RecommendedTags,
    RightsView,
    SampleArtwork,
    StyleArtist,
    StyleCard,
    StyleDetail,
    StyleDetailArtist,
    StyleQuery,
    StyleSort,
    StylesReader,
    StyleStats,
    TakedownView,
)
from core.text import comparison_key


class MemoryStyles(Styles):
    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction
        self._versions = MemoryStyleVersions(transaction)

    async def of_id(self, style_id: StyleId, *, lock: bool = False) -> Style:
        if lock:
            await self._transaction.lock("style", style_id)
        return deep_copy(found_style(self._transaction.tables, style_id))

    async def of_artist(self, artist_id: UserId, *, lock: bool = False) -> list[Style]:
        if lock:
            for style in self._of_artist(artist_id):
                await self._transaction.lock("style", style.id)
        return self._of_artist(artist_id)

    def _of_artist(self, artist_id: UserId) -> list[Style]:
        styles = self._transaction.tables.styles.values()
        return sorted(
            (deep_copy(style) for style in styles if style.artist_id == artist_id), key=lambda style: style.id
        )

    async def lock_to_withdraw(self, style_id: StyleId) -> Style:
        return await self.of_id(style_id, lock=True)

    async def check_publishable(self, style_id: StyleId) -> None:
        (await self.of_id(style_id, lock=True)).check_publishable()

    async def portfolio(self, artist_id: UserId, *, lock: bool = False) -> Portfolio:
        if lock:
            await self._transaction.lock("portfolio", artist_id)
            await self._transaction.lock("user", artist_id)
            found(self._transaction.tables, artist_id)
        return Portfolio(list(self._transaction.tables.portfolios.get(artist_id, ())))

    async def offer(self, style_id: StyleId, *, version: int | None = None) -> Offer:
        tables = self._transaction.tables
        style = found_style(tables, style_id)
        offer = Offer(
            style_id=style.id,
            artist_id=style.artist_id,
            generation_cost_tokens=style.generation_cost_tokens,
            license_type=style.license_type,
            is_active=style.is_active,
            valid_from=style.valid_from,
            valid_to=style.valid_to,
            version=style.version,
            version_id=style.version_id,
            model_path=style.model_path,
            signature_key=tables.artists[style.artist_id].signature_key,
        )
        return offer if version is None else offer.of(await self._versions.of_number(style_id, version))

    async def add(self, style: Style, version: StyleVersion, artworks: list[Artwork]) -> None:
        stored = deep_copy(style)

        def operation(tables: Tables) -> None:
            kept(tables, style.artist_id)
            keys, key = tables.portfolios.get(style.artist_id, ()), comparison_key(style.name)
            if key in keys:
                raise DuplicateStyleName
            tables.portfolios[style.artist_id] = (*keys, key)
            tables.styles[style.id] = stored

        self._transaction.write(operation)
        await self._versions.add(version)
        await self._versions.add_artworks(version, artworks)

    async def save(self, style: Style) -> None:
        stored = deep_copy(style)

        def operation(tables: Tables) -> None:
            found_style(tables, style.id)
            tables.styles[style.id] = stored

        await self._transaction.lock("style", style.id)
        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.style(style.id))

    async def remove(self, style_id: StyleId) -> None:
        def operation(tables: Tables) -> None:
            style = found_style(tables, style_id)
            if any(generation.style_id == style_id for generation in tables.generations.values()):
                raise StyleUsed
            keys, removed = tables.portfolios[style.artist_id], comparison_key(style.name)
            tables.portfolios[style.artist_id] = tuple(key for key in keys if key != removed)
            del tables.styles[style_id]
            removed_versions = {version.id for version in versions_of(tables, style_id)}
            for version_id in removed_versions:
                del tables.style_versions[version_id], tables.artworks[version_id]
                tables.artwork_checks.pop(version_id, None)
            for upload in list(tables.artwork_uploads.values()):
                if upload.use and upload.use.version_id in removed_versions:
                    tables.artwork_uploads[upload.id] = msgspec.structs.replace(upload, use=None)

        await self._transaction.lock("style", style_id)
        self._transaction.write(operation)
        self._transaction.notify_after_commit(changes.style(style_id))

    async def pending_takedowns(self, *, limit: int) -> list[StyleId]:
        found = [
            style.id
            for style in self._transaction.tables.styles.values()
            if style.takedown is not None and style.takedown.pending
        ]
        return sorted(found)[:limit]

    async def expired(self, *, at: datetime, limit: int) -> list[StyleId]:
        found = [
            (style.valid_to, style.id)
            for style in self._transaction.tables.styles.values()
            if style.is_active and style.valid_to is not None and style.valid_to <= at
        ]
        return [style_id for _, style_id in sorted(found)[:limit]]


class MemoryStylesReader(StylesReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs

    async def list(self, query: StyleQuery, *, page: PageRequest) -> Page[StyleCard]:
        tables = self._reads.tables

        def place(style: Style) -> Keyset:
            rank = followers(tables, style.artist_id) if query.sort is StyleSort.POPULAR else 0
            return Keyset(rank, style.created_at, style.id)

        found = (style for style in tables.styles.values() if _matches(style, query))
        shown, following = page_of(found, place=place, page=page)
        return Page([await self._card(style) for style in shown], following)

    async def list_own(self, artist_id: UserId, *, page: PageRequest) -> Page[OwnStyleCard]:
        own = (style for style in self._reads.tables.styles.values() if style.artist_id == artist_id)
        shown, following = page_of(own, place=lambda style: Keyset(0, style.created_at, style.id), page=page)
        return Page([await self._own_card(style) for style in shown], following)

    async def detail(self, style_id: StyleId, *, viewer: Requester | None) -> StyleDetail | OwnStyleDetail:
        style = self._seen(style_id, viewer)
        return await (self._own_detail(style) if _owns(viewer, style) else self._detail(style))

    async def recommended_tags(self, style_id: StyleId, *, viewer: Requester | None) -> RecommendedTags:
        tables = self._reads.tables
        style = self._seen(style_id, viewer)
        counts = Counter(tag for artwork in tables.artworks[style.version_id] for tag in set(artwork.tags))
        counts.update(tag for image in images_of(tables, style) if image.is_public for tag in image.prompt_tags)
        most_often = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        return [RecommendedTag(name, count) for name, count in most_often[:RECOMMENDED]]

    async def near_copies(self, style_id: StyleId) -> NearCopies:
        return await near_copy_views(self._reads.tables, style_id, self._blobs)

    def _seen(self, style_id: StyleId, viewer: Requester | None) -> Style:
        style = found_style(self._reads.tables, style_id)
        if not style.trained and not _owns(viewer, style):
            raise StyleNotFound
        return style

    async def _card(self, style: Style) -> StyleCard:
        tables = self._reads.tables
        thumbnail = await thumbnail_urls(tables, style, self._blobs)
        return StyleCard(
            id=style.id,
            name=style.name,
            description=style.description,
            thumbnail_url=original(thumbnail),
            images=thumbnail,
            artist=StyleArtist(
                id=style.artist_id,
                username=tables.users[style.artist_id].username,
                artist_name=tables.artists[style.artist_id].artist_name,
            ),
            training_status=_in_use(tables, style).training_status.value,
            generation_cost_tokens=style.generation_cost_tokens,
            license_type=style.license_type.value,
            usage_count=uses_of(tables, style).images,
            tags=list(style.tags),
            created_at=style.created_at,
        )

    async def _own_card(self, style: Style) -> OwnStyleCard:
        return OwnStyleCard(
            **_fields(await self._card(style)),
            total_earned_tokens=uses_of(self._reads.tables, style).tokens,
            progress=_in_use(self._reads.tables, style).progress,
            checking=checking(self._reads.tables, _in_use(self._reads.tables, style)),
        )

    async def _detail(self, style: Style) -> StyleDetail:
        tables = self._reads.tables
        artist = tables.users[style.artist_id]
        images = images_of(tables, style)
        public = sorted((image.created_at, image.id) for image in images if image.is_public)
        latest = {image_id for _, image_id in public[-LIKED:]}
        likes = sum(generation_id in latest for generation_id, _ in tables.likes)
        card = _fields(await self._card(style))
        picture = picture_urls(artist.profile_image, self._blobs)
        card["artist"] = StyleDetailArtist(
            **_fields(card["artist"]),
            profile_image=original(picture),
            images=picture,
            follower_count=followers(tables, artist.id),
        )
        samples = tables.artworks[style.version_id][:SAMPLES] if style.show_samples else []
        return StyleDetail(
            **card,
            valid_from=style.valid_from,
            valid_to=style.valid_to,
            is_active=style.is_active,
            version=style.version,
            updated_at=max(style.updated_at, _in_use(tables, style).updated_at),
            stats=StyleStats(total_generations=card["usage_count"], avg_likes=likes / len(latest) if latest else 0.0),
            sample_artworks=[
                await self._sample(artwork, artwork.sample_key) for artwork in samples if artwork.sample_key
            ],
            progress=_in_use(tables, style).progress,
        )

    async def _own_detail(self, style: Style) -> OwnStyleDetail:
        tables = self._reads.tables
        version = deep_copy(_in_use(tables, style))
        return OwnStyleDetail(
            **_fields(await self._detail(style)),
            model_path=version.model_path,
            training_metric=version.training_metric,
            artworks=await artwork_views(tables, version.id, self._blobs),
            failure=version.failure,
            checking=checking(tables, version),
            rights=RightsView(style.artist_id, **_fields(version.rights)),
            takedown=TakedownView(**_fields(style.takedown)) if style.takedown else None,
            review=version.review,
        )

    async def _sample(self, artwork: Artwork, key: str) -> SampleArtwork:
        images = await _signed_urls(key, self._blobs)
        return SampleArtwork(artwork.id, images.original, images, list(artwork.tags))


async def thumbnail_urls(tables: Tables, style: Style, blobs: BlobStore) -> ImageUrls | None:
    if style.thumbnail_key:
        return public_urls(style.thumbnail_key, blobs)
    first = next(iter(tables.artworks[style.version_id]), None)
    key = first.sample_key if first and style.show_samples else None
    return await _signed_urls(key, blobs) if key else None


async def _signed_urls(key: str, blobs: BlobStore) -> ImageUrls:
    return image_urls(*[await blobs.signed_url(one) for one in (key, *derivatives_of(key))])


def _in_use(tables: Tables, style: Style) -> StyleVersion:
    return tables.style_versions[style.version_id]


def _owns(viewer: Requester | None, style: Style) -> bool:
    return viewer is not None and (viewer.is_admin or viewer.id == style.artist_id)


def _matches(style: Style, query: StyleQuery) -> bool:
    return (
        (style.is_active if style.trained else style.artist_id == query.own_unfinished)
        and query.artist_id in (None, style.artist_id)
        and set(query.tags) <= set(style.tags)
    )


def uses_of(tables: Tables, style: Style) -> Uses:
    """Includes erased images."""
    images, past = images_of(tables, style), tables.past_uses.get(style.id, Uses())
    return Uses(past.images + len(images), past.tokens + sum(image.earned_tokens for image in images))


def images_of(tables: Tables, style: Style) -> list[Generation]:
    return [
        generation
        for generation in tables.generations.values()
        if generation.style_id == style.id and generation.status is Status.COMPLETED
    ]


def _fields(view: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(view)
