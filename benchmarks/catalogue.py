"""100,000 styles of 10,000 artists and 100,000 tags, and searches in them."""

from tests.support.fills.catalogue import catalogue
from tests.support.fills.fill import filling

STYLES = 100_000
ARTISTS = 10_000
TAGS_IN_USE = 100_000

QUERIES = {
    "one of its kind": "amber 66077",
    "rare": "stained",
    "common": "watercolor",
    "very common": "style",
    "very common, inside": "tyl",
    "one letter": "e",
    "one rare letter": "q",
    "two letters": "in",
    "digits": "99",
    "Korean": "수채화",
    "one Korean syllable": "꽃",
    "mixed case": "CrIMSon TIDal",
    "two words": "golden pearl",
    "inside of words": "idnigh",
    "a tag": "stained glass",
    "an artist": "Velvet Amber",
    "a username": "amber.",
    "no match": "zzyzx",
    "no match, of common pieces": "stylestyle",
    "the longest": "watercolor " * 9,
}
TAGS = {
    "tags: the most used": "",
    "tags: one letter": "s",
    "tags: a word": "silver",
    "tags: two words": "silver m",
    "tags: no match": "zzyzx",
}


async def make(url: str) -> None:
    """Put them into the database."""
    async with filling(url) as fill:
        await catalogue(fill, styles=STYLES, artists=ARTISTS, tags=TAGS_IN_USE)
