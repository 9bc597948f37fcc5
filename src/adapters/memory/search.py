from collections import Counter

from adapters.memory.accounts import followers
from adapters.memory.database import Reads
from adapters.memory.styles import thumbnail_urls, uses_of
from core.accounts.model import Standing
from core.accounts.pictures import picture_urls
from core.derivatives import original
from core.identifiers import TagId, UserId
from core.ports.blob_store import BlobStore
from core.search.matching import MatchedBy, best_match, parse_query
from core.search.views import Found, FoundArtist, FoundStyle, SearchReader, SearchType, UsedTag
from core.styles.model import Style
from core.styles.views import StyleArtist
from core.tags import as_prefix
from core.text import comparison_key


class MemorySearchReader(SearchReader):
    def __init__(self, reads: Reads, blobs: BlobStore) -> None:
        self._reads = reads
        self._blobs = blobs
        self._tag_ids: dict[str, TagId] = {}

    async def search(self, text: str, *, type: SearchType, limit: int) -> Found:
        query = parse_query(text)
        return Found(
            styles=await self._styles(query, limit) if type is not SearchType.ARTISTS else [],
            artists=self._artists(query, limit) if type is not SearchType.STYLES else [],
        )

    async def tags(self, text: str, *, limit: int) -> list[UsedTag]:
        beginning = as_prefix(text)
        if beginning is None:
            return []
        tables = self._reads.tables
        used = [style.tags for style in tables.styles.values() if _can_be_used(style)]
        used += [image.prompt_tags for image in tables.generations.values() if image.is_public]
        counts = Counter(tag for tags in used for tag in tags if tag.startswith(beginning))
        most_used = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        return [UsedTag(self._tag_id(name), name, count) for name, count in most_used[:limit]]

    def _tag_id(self, name: str) -> TagId:
        return self._tag_ids.setdefault(name, TagId(len(self._tag_ids) + 1))

    async def _styles(self, query: str, limit: int) -> list[FoundStyle]:
        tables = self._reads.tables
        found = []
        for style in tables.styles.values():
            texts = {MatchedBy.NAME: [comparison_key(style.name)], MatchedBy.TAG: style.tags}
            best = best_match(query, texts)
            if best and _can_be_used(style):
                match, matched_by = best
                found.append((match, -uses_of(tables, style).images, style.id, matched_by))
        return [
            await self._style(tables.styles[style_id], matched_by)
            for _, _, style_id, matched_by in sorted(found, key=lambda one: one[:3])[:limit]
        ]

    async def _style(self, style: Style, matched_by: MatchedBy) -> FoundStyle:
        tables = self._reads.tables
        images = await thumbnail_urls(tables, style, self._blobs)
        return FoundStyle(
            id=style.id,
            name=style.name,
            thumbnail_url=original(images),
            images=images,
            artist=StyleArtist(
                id=style.artist_id,
                username=tables.users[style.artist_id].username,
                artist_name=tables.artists[style.artist_id].artist_name,
            ),
            matched_by=matched_by,
            usage_count=uses_of(tables, style).images,
        )

    def _artists(self, query: str, limit: int) -> list[FoundArtist]:
        tables = self._reads.tables
        found = []
        for artist in tables.artists.values():
            user = tables.users[artist.user_id]
            if user.standing is not Standing.PRESENT:
                continue
            names = [comparison_key(artist.artist_name), user.username]
            if best := best_match(query, {MatchedBy.NAME: names}):
                match, matched_by = best
                found.append((match, -followers(tables, artist.user_id), artist.user_id, matched_by))
        return [
            self._artist(user_id, -fewer, matched_by)
            for _, fewer, user_id, matched_by in sorted(found, key=lambda one: one[:3])[:limit]
        ]

    def _artist(self, user_id: UserId, follower_count: int, matched_by: MatchedBy) -> FoundArtist:
        tables = self._reads.tables
        images = picture_urls(tables.users[user_id].profile_image, self._blobs)
        return FoundArtist(
            id=user_id,
            username=tables.users[user_id].username,
            artist_name=tables.artists[user_id].artist_name,
            profile_image=original(images),
            images=images,
            follower_count=follower_count,
            matched_by=matched_by,
        )


def _can_be_used(style: Style) -> bool:
    return style.trained and style.is_active
