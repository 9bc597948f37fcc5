"""The checks of `reconcile` and other rules of the domain as SQL: each query selects the rows that break a rule."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from core.ports.books import Books
from tests.simulation.violation import Violation

RULES = {
    "everybody is welcomed once": """
        SELECT id, welcomes FROM (
            SELECT u.id, count(t.id) AS welcomes, sum(t.amount) AS tokens,
                row_number() OVER (PARTITION BY count(t.id) = 0 ORDER BY u.id) AS number
            FROM users u
            LEFT JOIN accounts a ON a.owner_id = u.id AND a.kind = 'wallet'
            LEFT JOIN transfers t ON t.credit_account_id = a.id AND t.kind = 'bonus'
            GROUP BY u.id
        ) welcomed
        WHERE welcomes > 1 OR tokens <> 100 OR (welcomes = 0 AND number > (SELECT count(*) FROM erased_identities))
    """,
    "whose generation has ended is notified once": """
        SELECT g.id, g.status, count(n.id) FROM generations g
        JOIN users ON users.id = g.owner_id AND standing = 'present'
        LEFT JOIN notifications n ON n.target_type = 'generation' AND n.target_id = g.id
            AND n.type IN ('generation_complete', 'generation_failed')
        GROUP BY g.id HAVING count(n.id) <> CASE
            WHEN g.status = 'cancelled' AND g.failure_code IS DISTINCT FROM 'STYLE_WITHDRAWN' THEN 0 ELSE 1 END
    """,
    "buyers are notified once of each refund that has ended, and of each charge-back": """
        WITH events AS (
            SELECT user_id, order_id, amount::text,
                CASE phase WHEN 'post' THEN 'purchase_refunded' WHEN 'void' THEN 'refund_refused'
                ELSE 'purchase_charged_back' END AS type
            FROM transfers JOIN purchases USING (order_id) JOIN users ON users.id = user_id AND standing = 'present'
            WHERE kind IN ('refund', 'charge_back') AND phase <> 'hold'
        ), notified AS (
            SELECT recipient_id, metadata->>'order_id', metadata->>'tokens', type
            FROM notifications WHERE target_type = 'purchase'
        )
        (TABLE events EXCEPT ALL TABLE notified) UNION ALL (TABLE notified EXCEPT ALL TABLE events)
    """,
    "images count their likes and comments": """
        SELECT id, like_count, comment_count FROM generations
        WHERE (like_count, comment_count) <> (
            (SELECT count(*) FROM likes WHERE generation_id = generations.id),
            (SELECT count(*) FROM comments WHERE generation_id = generations.id)
        )
    """,
    "comments count their replies": """
        SELECT id, reply_count FROM comments
        WHERE reply_count <> (SELECT count(*) FROM comments reply WHERE reply.parent_id = comments.id)
    """,
    "users count their followers": """
        SELECT id, follower_count FROM users
        WHERE follower_count <> (SELECT count(*) FROM follows WHERE followed_id = users.id)
    """,
    "styles count their images and earnings, and those of images that were erased": """
        SELECT styles.id, counted.* FROM styles, LATERAL (
            SELECT usage_count + count(*) AS images, earned_tokens + coalesce(sum(tokens), 0) AS tokens
            FROM style_uses WHERE style_id = styles.id
        ) counted, LATERAL (
            SELECT count(*) AS images, coalesce(sum(consumed_tokens - fee_tokens), 0) AS tokens
            FROM generations WHERE style_id = styles.id AND status = 'completed'
        ) made
        WHERE counted.images < made.images OR counted.tokens < made.tokens
    """,
    "styles have earned no more than their artists": """
        SELECT artist_id, sum(tokens) FROM (
            SELECT artist_id, earned_tokens AS tokens FROM styles
            UNION ALL SELECT artist_id, tokens FROM style_uses JOIN styles ON styles.id = style_id
        ) earned
        GROUP BY artist_id
        HAVING sum(tokens) > (
            SELECT coalesce(sum(CASE t.kind WHEN 'fee' THEN -t.amount ELSE t.amount END), 0)
            FROM accounts a JOIN transfers t
                ON (t.credit_account_id = a.id AND t.phase = 'post') OR (t.debit_account_id = a.id AND t.kind = 'fee')
            WHERE a.kind = 'earnings' AND a.owner_id = artist_id
        )
    """,
    "of withdrawn styles nothing is queued, and no image is public that was to go": """
        SELECT generations.id, generations.status, public_key FROM generations JOIN styles ON styles.id = style_id
        WHERE NOT takedown_pending AND (status = 'queued' OR (public_key IS NOT NULL AND NOT takedown_keeps_images))
    """,
    "generations are of a trained version of their style": """
        SELECT generations.id, style_version FROM generations
        LEFT JOIN style_versions version ON version.style_id = generations.style_id AND number = style_version
        WHERE version.model_path IS NULL
    """,
    "everything has ended": """
        SELECT 'generation' AS what, id FROM generations WHERE status NOT IN ('completed', 'failed', 'cancelled')
        UNION ALL SELECT 'training', id FROM style_versions WHERE training_status NOT IN ('completed', 'failed')
        UNION ALL SELECT 'takedown', id FROM styles WHERE takedown_pending
        UNION ALL SELECT 'withdrawal', id FROM withdrawals WHERE status = 'pending'
        UNION ALL SELECT 'erasing', id FROM users WHERE standing = 'leaving'
    """,
}
"""They hold once everything has ended."""

KEYED = {
    "what was asked for by a key was made once": """
        SELECT owner_id, description, count(*) FROM generations
        WHERE description IS NOT NULL GROUP BY owner_id, description HAVING count(*) > 1
    """,
    "what was made by a key is named by the answer": """
        SELECT made.place FROM (
            SELECT user_id, 'purchase:' || order_id AS place FROM purchases
            UNION ALL SELECT artist_id, 'withdrawal:' || id FROM withdrawals
            UNION ALL SELECT owner_id, 'generation:' || id FROM generations WHERE description IS NOT NULL
            UNION ALL SELECT artist_id, 'style:' || id FROM styles
        ) made
        JOIN users ON users.id = made.user_id AND standing = 'present'
        FULL JOIN (SELECT user_id, headers->>'location' AS place FROM idempotency_keys) answered USING (user_id, place)
        WHERE (made.place IS NULL AND answered.place NOT LIKE 'style:%') OR answered.place IS NULL
    """,
}
"""They hold for users who are not deleted, if styles (which may be deleted), purchases and withdrawals are created with
keys only, and for generations that name their key."""


async def audit(books: Books, fetch: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]) -> None:
    """Run the queries through `fetch`. Raises Violation for the first rule that does not hold."""
    for finding in await books.examine():
        if finding.broken:
            raise Violation(f"{finding.invariant.value}; but not here: {finding.first}")
    for rule, query in (RULES | KEYED).items():
        if offenders := await fetch(query):
            raise Violation(f"{rule}; but not here: {dict(offenders[0])} (and {len(offenders) - 1} more)")
