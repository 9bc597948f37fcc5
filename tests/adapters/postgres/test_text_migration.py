"""What the migration to normalized text makes of rows that are older."""

import asyncio
import unicodedata

import asyncpg
import pytest

from adapters.postgres import migrate
from core.text import comparison_key

NFC = "한글수채화"
NFD = unicodedata.normalize("NFD", NFC)
ROWS = f"""
SET session_replication_role = 'replica';
INSERT INTO users (id, provider, subject, username, role, bio, created_at, updated_at)
VALUES (1, 'test', '1', 'mia', 'artist', '{NFD}' || E'\\r\\nme\\x1b', now(), now());
INSERT INTO artists (user_id, artist_name, verified_email, signature_key, created_at)
VALUES (1, '{NFD}', 'mia@example.com', 'signature', now());
INSERT INTO artist_texts (user_id, username, artist_name, grams) VALUES (1, 'mia', 'old', search_grams('old'));
INSERT INTO styles (
    id, artist_id, name, description, generation_cost_tokens, license_type, tags, task_id, training_status, is_active,
    show_samples, model_path, created_at, updated_at
)
SELECT id, 1, name, '', 30, 'personal', '{{}}', gen_random_uuid(), 'completed', true, true, 'gs://m', now(), now()
FROM (VALUES (1, '{NFC}'), (2, '{NFD}'), (3, 'İstanbul'), (4, 'Ink')) style (id, name);
INSERT INTO style_texts (style_id, texts, grams)
SELECT id, E'\\ni\u0307stanbul\\n', search_grams(E'\\ni\u0307stanbul\\n') FROM styles;
INSERT INTO artworks (id, style_id, index, key, format, width, height, size, tags)
VALUES (1, 4, 0, 'a', 'png', 512, 512, 1, '{{ink}}');
INSERT INTO generations (
    id, owner_id, style_id, artist_id, consumed_tokens, hold_id, aspect_ratio, prompt_tags, task_id, status, attempt,
    result_key, public_key, metadata, created_at, updated_at, ended_at
)
SELECT id, 1, 4, 1, 30, id, '1:1', tags, gen_random_uuid(), 'completed', 1, 'r', key, '{{}}', now(), now(), now()
FROM (VALUES (1, '{{ink,secret}}'::text[], NULL), (2, '{{ink,shown}}'::text[], 'public/2')) image (id, tags, key);
INSERT INTO style_tags (style_id, name, count) VALUES (4, 'ink', 3), (4, 'secret', 1), (4, 'shown', 1);
INSERT INTO comments (id, generation_id, author_id, content, created_at, updated_at)
VALUES (1, 2, 1, E'\\x01', now(), now());
SET session_replication_role = 'origin';
"""


async def test_older_rows_are_normalized_and_private_prompts_are_forgotten(empty_database_url: str) -> None:
    url = empty_database_url
    await asyncio.to_thread(migrate.upgrade, url, "0026")
    connection = await asyncpg.connect(url)
    await connection.execute(ROWS)

    await asyncio.to_thread(migrate.upgrade, url, "0029")

    async def values(sql: str) -> list[object]:
        return [row[0] for row in await connection.fetch(sql)]

    try:
        assert await values("SELECT bio FROM users") == [f"{NFC}\nme\ufffd"]
        assert await values("SELECT artist_name FROM artists") == [NFC]
        assert await values("SELECT artist_name FROM artist_texts WHERE grams @> ARRAY['.수채화']") == [NFC]
        assert await values("SELECT name FROM styles ORDER BY id") == [NFC, NFC, "İstanbul", "Ink"]
        keys = [comparison_key(NFC), f"{comparison_key(NFC)}\n2", "istanbul", "ink"]
        assert await values("SELECT name_key FROM styles ORDER BY id") == keys
        assert await values("SELECT style_id FROM style_texts WHERE grams @> ARRAY['=istanbul']") == [3]
        assert await values("SELECT content FROM comments") == ["\ufffd"]
        counts = await connection.fetch("SELECT name, count FROM style_tags ORDER BY name")
        assert [tuple(row) for row in counts] == [("ink", 2), ("shown", 1)]
        with pytest.raises(asyncpg.UniqueViolationError, match="uq_styles_artist_id_name_key"):
            await connection.execute("UPDATE styles SET name_key = 'ink' WHERE id = 3")
    finally:
        await connection.close()
