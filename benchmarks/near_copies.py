"""How long it takes to find the near copies of 100 artworks among 100,000."""

import asyncio
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

import asyncpg

from adapters.postgres.style_versions import NEAR_COPIES
from benchmarks.table import table
from entrypoints.container.development import embedded_database
from entrypoints.container.migrations import upgrade_database
from tests.support.fills.catalogue import catalogue
from tests.support.fills.fill import filling

TARGET = 0.5
"""Seconds for a whole set."""
SET = 100
STYLES = 1_000
"""Each with 100 artworks."""
ROUNDS = 20

FILL = """
INSERT INTO artworks
    (id, version_id, index, key, format, width, height, size, digest, tags, perceptual_hash, hash_bands)
SELECT number, version_id, number % 100, 'training/' || number, 'png', 512, 512, 1, '', '{}', hash, hash_bands(hash)
FROM (
    SELECT (row_number() OVER ()) * 100 + index AS number, id AS version_id,
        ('x' || md5(id || '.' || index))::bit(64)::bigint AS hash
    FROM style_versions, generate_series(0, 99) index
) hashed
"""
COUNT = "SELECT count(*) FROM artworks"
STORED = "SELECT perceptual_hash FROM artworks ORDER BY id LIMIT $1 OFFSET $2"


def report() -> str:
    with tempfile.TemporaryDirectory(prefix="style-license-benchmark-") as directory:
        database = embedded_database(Path(directory) / "postgres")
        try:
            url = database.start()
            upgrade_database(url)
            return asyncio.run(_measure(url))
        finally:
            database.stop()


async def _measure(url: str) -> str:
    chance = Random(1)
    async with filling(url) as fill:
        await catalogue(fill, styles=STYLES, artists=STYLES // 10, tags=STYLES)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("ANALYZE artworks")
        rows = [[f"{SET} artworks", "median ms", "worst ms", "found", f"target: < {TARGET * 1000:.0f} ms"]]
        for name, copies in (("none is a copy", 0), ("half are copies", SET // 2)):
            taken, found = [], 0
            for number in range(ROUNDS):
                stored = await connection.fetch(STORED, copies, number * SET)
                wanted = [row["perceptual_hash"] ^ (1 << chance.randrange(63)) for row in stored]
                wanted += [chance.getrandbits(64) - 2**63 for _ in range(SET - copies)]
                began = time.perf_counter()
                found += len(await connection.fetch(NEAR_COPIES, wanted, 0, 1000))
                taken.append(time.perf_counter() - began)
            verdict = "met" if max(taken) < TARGET else "missed"
            rows.append(
                [name, f"{median(taken) * 1000:.0f}", f"{max(taken) * 1000:.0f}", str(found // ROUNDS), verdict]
            )
        return f"\nAmong {await connection.fetchval(COUNT):,} artworks:\n\n{table(rows)}\n"
    finally:
        await connection.close()
