from datetime import datetime
from typing import Any

import asyncpg

from core.tokens.model import AccountKind
from core.tokens.statement import Holding, Month, Movement, Statement

MOVEMENTS = """
SELECT kind, currency_code, count(*) AS transfers, sum(amount)::bigint AS tokens, sum(paid)::bigint AS bought_tokens,
    sum(total_price)::bigint AS money
FROM transfers WHERE phase IN ('post', 'single') AND created_at >= $1 AND created_at < $2
GROUP BY kind, currency_code ORDER BY kind, currency_code
"""
HOLDINGS = """
SELECT account, sum(tokens)::bigint AS tokens, sum(bought)::bigint AS bought, sum(matured)::bigint AS matured
FROM (
    SELECT payer.kind AS account, -amount AS tokens, -transfers.paid AS bought,
        CASE WHEN transfers.kind = 'withdrawal' OR created_at < $2 THEN -transfers.paid ELSE 0 END AS matured
    FROM transfers JOIN accounts payer ON payer.id = debit_account_id
    WHERE phase IN ('post', 'single') AND created_at < $1
    UNION ALL
    SELECT payee.kind, amount, earned, CASE WHEN created_at < $2 THEN earned ELSE 0 END
    FROM transfers JOIN accounts payer ON payer.id = debit_account_id
    JOIN accounts payee ON payee.id = credit_account_id,
    LATERAL (SELECT CASE payer.owner_id WHEN payee.owner_id THEN 0 ELSE transfers.paid END AS earned) of_others
    WHERE phase IN ('post', 'single') AND created_at < $1
) side
GROUP BY account
"""


async def statement(connection: "asyncpg.Connection[Any]", month: Month, matured_before: datetime) -> Statement:
    """In the connection's transaction."""
    movements = [Movement(**row) for row in await connection.fetch(MOVEMENTS, month.since, month.until)]
    rows = {row["account"]: row for row in await connection.fetch(HOLDINGS, month.until, matured_before)}
    holdings = []
    for kind in AccountKind:
        row = rows.get(kind.value, {"tokens": 0, "bought": 0, "matured": 0})
        matured = row["matured"] if kind is AccountKind.EARNINGS else None
        holdings.append(Holding(kind.value, row["tokens"], row["bought"], matured))
    return Statement(month, movements, holdings)
