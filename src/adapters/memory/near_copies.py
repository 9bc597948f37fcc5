from adapters.memory.tables import Tables
from core.identifiers import StyleId, UserId
from core.ports.blob_store import BlobStore
from core.styles.version import NEAR, Artwork, NearCopy, Review
from core.styles.views import NEAR_COPIES, ComparedArtwork, NearCopyView, StyleArtist


def near_copies(tables: Tables, hashes: list[int], artist_id: UserId, limit: int) -> list[NearCopy]:
    found = [
        NearCopy(place, artwork.id, version.style_id, distance)
        for version in tables.style_versions.values()
        if tables.styles[version.style_id].artist_id != artist_id and version.review is not Review.REJECTED
        for artwork in tables.artworks[version.id]
        if artwork.perceptual_hash is not None
        for place, wanted in enumerate(hashes)
        if (distance := (artwork.perceptual_hash ^ wanted).bit_count()) <= NEAR
    ]
    return sorted(found, key=lambda copy: (copy.distance, copy.artwork_id, copy.wanted))[:limit]


async def near_copy_views(tables: Tables, style_id: StyleId, blobs: BlobStore) -> list[NearCopyView]:
    style = tables.styles.get(style_id)
    if style is None:
        return []
    latest = max(
        (version for version in tables.style_versions.values() if version.style_id == style_id),
        key=lambda version: version.number,
    )
    hashed = [
        (artwork, artwork.perceptual_hash)
        for artwork in tables.artworks[latest.id]
        if artwork.perceptual_hash is not None
    ]
    found = near_copies(tables, [one for _, one in hashed], style.artist_id, NEAR_COPIES)
    others = {artwork.id: artwork for artworks in tables.artworks.values() for artwork in artworks}
    return [
        NearCopyView(
            await _compared(tables, hashed[copy.wanted][0], blobs),
            await _compared(tables, others[copy.artwork_id], blobs),
            copy.distance,
        )
        for copy in found
    ]


async def _compared(tables: Tables, artwork: Artwork, blobs: BlobStore) -> ComparedArtwork:
    style = tables.styles[tables.style_versions[artwork.version_id].style_id]
    user, artist = tables.users[style.artist_id], tables.artists[style.artist_id]
    url = await blobs.signed_url(artwork.key)
    return ComparedArtwork(
        artwork.id, url, style.id, style.name, StyleArtist(user.id, user.username, artist.artist_name)
    )
