"""The rules of the domain, as questions to a PostgreSQL database: each answers the rows that break it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tests.simulation.broken import Broken

RULES = {
    "a balance is what its transfers say": """
        SELECT a.id, a.kind, a.owner_id, a.balance + coalesce(d.appended, 0) AS balance, coalesce(t.moved, 0) AS moved
        FROM accounts a
        LEFT JOIN (SELECT account_id, sum(amount) AS appended FROM balance_deltas GROUP BY account_id) d
            ON d.account_id = a.id
        LEFT JOIN (
            SELECT account_id, sum(change) AS moved FROM transfers,
            LATERAL (VALUES (credit_account_id, amount), (debit_account_id, -amount)) AS side (account_id, change)
            WHERE phase IN ('post', 'single') GROUP BY account_id
        ) t ON t.account_id = a.id
        WHERE a.balance + coalesce(d.appended, 0) <> coalesce(t.moved, 0)
    """,
    "what is held is what open holds say": """
        SELECT a.id, a.owner_id, a.held, coalesce(sum(h.amount), 0) AS open FROM accounts a
        LEFT JOIN transfers h ON h.debit_account_id = a.id AND h.phase = 'hold'
            AND NOT EXISTS (SELECT FROM transfers r WHERE r.hold_id = h.id)
        GROUP BY a.id HAVING a.held <> coalesce(sum(h.amount), 0)
    """,
    "no wallet is below zero": """
        SELECT id, owner_id, balance, held FROM accounts
        WHERE kind IN ('wallet', 'earnings') AND balance - held < 0
    """,
    "the sum over all accounts is zero": """
        SELECT (SELECT sum(balance) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM balance_deltas) AS sum
        WHERE (SELECT sum(balance) FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM balance_deltas) <> 0
    """,
    "a generation has one hold, of its own terms": """
        SELECT g.id, g.hold_id FROM generations g
        LEFT JOIN transfers h ON h.generation_id = g.id AND h.phase = 'hold'
        LEFT JOIN accounts payer ON payer.id = h.debit_account_id
        LEFT JOIN accounts payee ON payee.id = h.credit_account_id
        GROUP BY g.id HAVING count(h.id) <> 1 OR bool_or(
            (h.id, h.amount, payer.kind, payer.owner_id, payee.kind, payee.owner_id)
            <> (g.hold_id, g.consumed_tokens, 'wallet', g.owner_id, 'earnings', g.artist_id)
        )
    """,
    "a completed generation is posted once, a failed or cancelled one voided once": """
        SELECT g.id, g.status, array_agg(r.phase) AS resolutions FROM generations g
        LEFT JOIN transfers r ON r.generation_id = g.id AND r.phase <> 'hold'
        GROUP BY g.id HAVING array_agg(r.phase) <> ARRAY[
            CASE g.status WHEN 'completed' THEN 'post' ELSE 'void' END
        ] OR count(r.id) <> 1
    """,
    "tokens are held for what exists": """
        SELECT id, generation_id FROM transfers
        WHERE generation_id IS NOT NULL AND NOT EXISTS (SELECT FROM generations g WHERE g.id = generation_id)
    """,
    "a paid purchase is credited once, another never": """
        SELECT p.order_id, p.status, count(t.id), sum(t.amount) FROM purchases p
        LEFT JOIN transfers t ON t.order_id = p.order_id
        GROUP BY p.order_id
        HAVING count(t.id) <> CASE p.status WHEN 'paid' THEN 1 ELSE 0 END OR sum(t.amount) <> p.amount_tokens
    """,
    "everybody is welcomed once": """
        SELECT u.id, count(t.id) FROM users u
        LEFT JOIN accounts a ON a.owner_id = u.id AND a.kind = 'wallet'
        LEFT JOIN transfers t ON t.credit_account_id = a.id AND t.kind = 'bonus'
        GROUP BY u.id HAVING count(t.id) <> 1 OR sum(t.amount) <> 100
    """,
    "whose generation has ended is told once": """
        SELECT g.id, g.status, count(n.id) FROM generations g
        LEFT JOIN notifications n ON n.target_type = 'generation' AND n.target_id = g.id
            AND n.type IN ('generation_complete', 'generation_failed')
        GROUP BY g.id HAVING count(n.id) <> CASE g.status WHEN 'cancelled' THEN 0 ELSE 1 END
    """,
    "everything has ended": """
        SELECT id, status FROM generations WHERE status NOT IN ('completed', 'failed', 'cancelled')
    """,
}
"""They hold once everything has ended."""


async def audit(fetch: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]) -> None:
    """Ask through `fetch`. Raises Broken for the first rule that does not hold."""
    for rule, query in RULES.items():
        if offenders := await fetch(query):
            raise Broken(f"{rule}; but not here: {dict(offenders[0])} (and {len(offenders) - 1} more)")
