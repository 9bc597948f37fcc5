from datetime import datetime
from typing import Any

import asyncpg

from adapters.postgres.pool import Pool, Record
from adapters.postgres.statement import statement
from core.ports.books import Books
from core.tokens.reconciliation import Finding, Invariant, Reconciliation
from core.tokens.statement import Month, Statement

SESSION_SETTINGS = "SET LOCAL work_mem = '256MB'; SET LOCAL hash_mem_multiplier = 4; SET LOCAL statement_timeout = 0"
"""Every row is read: in memory, without a time limit."""

MOVED = """
    SELECT account_id, sum(moved)::bigint AS moved, sum(held)::bigint AS held, coalesce(sum(paid), 0)::bigint AS paid,
        coalesce(sum(held_paid), 0)::bigint AS held_paid
    FROM (
        SELECT debit_account_id AS account_id, -sum(amount) FILTER (WHERE phase IN ('post', 'single')) AS moved,
            sum(CASE phase WHEN 'hold' THEN amount WHEN 'single' THEN 0 ELSE -amount END) AS held,
            -sum(paid) AS paid, sum(CASE phase WHEN 'hold' THEN amount WHEN 'single' THEN 0 ELSE -amount END)
                FILTER (WHERE kind <> 'generation') AS held_paid
        FROM transfers GROUP BY debit_account_id
        UNION ALL
        SELECT credit_account_id, sum(amount) FILTER (WHERE phase IN ('post', 'single')), 0,
            sum(transfers.paid) FILTER (WHERE payer.owner_id IS DISTINCT FROM payee.owner_id), 0
        FROM transfers JOIN accounts payer ON payer.id = debit_account_id
        JOIN accounts payee ON payee.id = credit_account_id
        GROUP BY credit_account_id
    ) side
    GROUP BY account_id
"""
ACCOUNTS = """
    SELECT id, kind, owner_id, balance + coalesce(appended, 0) AS balance, held,
        accounts.paid + coalesce(appended_paid, 0) AS paid, held_paid, debt
    FROM accounts
    LEFT JOIN (
        SELECT account_id, sum(amount)::bigint AS appended, sum(paid)::bigint AS appended_paid
        FROM balance_deltas GROUP BY account_id
    ) delta ON account_id = accounts.id
"""
STATE = """
    CASE resolution.phase WHEN 'post' THEN 'posted' WHEN 'void' THEN 'voided' ELSE 'open' END
"""

# For each invariant the rows that it applies to, and whether they violate it.
ROWS = {
    Invariant.SOLVENT: f"""
        SELECT *, balance < held AS wrong FROM ({ACCOUNTS}) account WHERE kind IN ('wallet', 'earnings')
    """,
    Invariant.BALANCES: f"""
        SELECT id, kind, owner_id, balance, debt, coalesce(moved, 0) AS moved,
            balance - debt <> coalesce(moved, 0) AS wrong
        FROM ({ACCOUNTS}) account LEFT JOIN ({MOVED}) moved ON account_id = id
    """,
    Invariant.HELD: f"""
        SELECT id, kind, owner_id, accounts.held, coalesce(moved.held, 0) AS open_holds,
            accounts.held <> coalesce(moved.held, 0) AS wrong
        FROM accounts LEFT JOIN ({MOVED}) moved ON account_id = id
    """,
    Invariant.ZERO_SUM: f"""
        SELECT 0 AS id, sum(balance - debt)::bigint AS sum, sum(balance - debt) <> 0 AS wrong
        FROM ({ACCOUNTS}) account
    """,
    Invariant.SOURCES: f"""
        SELECT id, kind, owner_id, account.paid, coalesce(moved.paid, 0) AS moved, account.held_paid, debt,
            account.paid - debt <> coalesce(moved.paid, 0) OR account.held_paid <> coalesce(moved.held_paid, 0)
                OR (owner_id IS NOT NULL AND NOT (account.paid BETWEEN account.held_paid AND balance)) AS wrong
        FROM ({ACCOUNTS}) account LEFT JOIN ({MOVED}) moved ON account_id = id
        UNION ALL
        SELECT transfers.id, transfers.kind, payer.owner_id, transfers.paid, post.paid, NULL, NULL, (CASE
            WHEN transfers.phase IN ('hold', 'void') THEN transfers.paid IS NULL
            WHEN transfers.kind = 'generation' THEN transfers.paid BETWEEN 0 AND transfers.amount
            WHEN transfers.kind = 'fee' THEN transfers.paid =
                CASE payer.owner_id WHEN payee.owner_id THEN 0 ELSE post.paid * transfers.amount / post.amount END
            WHEN transfers.kind IN ('bonus', 'taken_bonus') THEN transfers.paid = 0
            ELSE transfers.paid = transfers.amount END) IS NOT TRUE AS wrong
        FROM transfers
        LEFT JOIN transfers post
            ON transfers.kind = 'fee' AND post.generation_id = transfers.generation_id AND post.phase = 'post'
        LEFT JOIN accounts payer ON payer.id = post.debit_account_id
        LEFT JOIN accounts payee ON payee.id = post.credit_account_id
    """,
    Invariant.REFERENCES: """
        SELECT min(id) AS id, reference, count(*) AS transfers, count(*) > 1 AS wrong
        FROM transfers WHERE hold_id IS NULL GROUP BY reference
    """,
    Invariant.RESOLUTIONS: """
        SELECT id, phase, hold_id, hold IS NULL OR earlier IS NOT NULL AS wrong
        FROM (
            SELECT resolution.id, resolution.phase, resolution.hold_id, hold.id AS hold,
                lag(resolution.id) OVER (PARTITION BY resolution.hold_id ORDER BY resolution.id) AS earlier
            FROM transfers resolution
            LEFT JOIN transfers hold ON hold.id = resolution.hold_id AND hold.phase = 'hold'
                AND hold.kind = resolution.kind AND hold.reference = resolution.reference
                AND hold.amount = resolution.amount AND hold.debit_account_id = resolution.debit_account_id
                AND hold.credit_account_id = resolution.credit_account_id
            WHERE resolution.hold_id IS NOT NULL
        ) resolution
    """,
    Invariant.OPEN_HOLDS: """
        SELECT hold.id, hold.kind, hold.reference, hold.amount,
            generations.id IS NULL AND withdrawals.id IS NULL AND purchases.order_id IS NULL AS wrong
        FROM transfers hold
        LEFT JOIN transfers resolution ON resolution.hold_id = hold.id
        LEFT JOIN generations ON generations.hold_id = hold.id AND generations.ended_at IS NULL
        LEFT JOIN withdrawals ON withdrawals.hold_id = hold.id AND withdrawals.ended_at IS NULL
        LEFT JOIN purchases ON purchases.refund_hold_id = hold.id AND purchases.status = 'refunding'
        WHERE hold.phase = 'hold' AND resolution.id IS NULL
    """,
    Invariant.GENERATIONS_HELD: """
        SELECT generations.id, consumed_tokens, hold.id AS hold_id, hold.amount AS held, coalesce(holds, 0) AS holds,
            (hold.generation_id, hold.amount, payer.kind, payer.owner_id, payee.kind, payee.owner_id, holds)
                IS DISTINCT FROM
                (generations.id, consumed_tokens, 'wallet', generations.owner_id, 'earnings', artist_id, 1) AS wrong
        FROM generations
        LEFT JOIN transfers hold ON hold.id = generations.hold_id AND hold.phase = 'hold'
        LEFT JOIN accounts payer ON payer.id = hold.debit_account_id
        LEFT JOIN accounts payee ON payee.id = hold.credit_account_id
        LEFT JOIN (
            SELECT generation_id, count(*) AS holds FROM transfers WHERE phase = 'hold' GROUP BY generation_id
        ) held ON held.generation_id = generations.id
    """,
    Invariant.GENERATIONS_SETTLED: f"""
        SELECT generations.id, status, {STATE} AS hold, {STATE} <>
            CASE status WHEN 'completed' THEN 'posted' WHEN 'failed' THEN 'voided' WHEN 'cancelled' THEN 'voided'
                ELSE 'open' END AS wrong
        FROM generations LEFT JOIN transfers resolution ON resolution.hold_id = generations.hold_id
    """,
    Invariant.FEES: """
        SELECT coalesce(fee.id, generations.id) AS id, generations.id AS generation_id, fee_tokens,
            fee.amount AS charged, CASE WHEN generations.id IS NULL
                THEN (debit.kind, credit.kind) IS DISTINCT FROM ('earnings', 'fees')
                ELSE (fee.reference, fee.amount, debit.kind, debit.owner_id, credit.kind, status) IS DISTINCT FROM
                    ('fee:generation:' || generations.id, fee_tokens, 'earnings', artist_id, 'fees', 'completed')
            END AS wrong
        FROM (SELECT * FROM transfers WHERE kind = 'fee') fee
        FULL JOIN generations ON fee.generation_id = generations.id
        LEFT JOIN accounts debit ON debit.id = debit_account_id
        LEFT JOIN accounts credit ON credit.id = credit_account_id
        WHERE fee.id IS NOT NULL OR fee_tokens > 0
    """,
    Invariant.PURCHASES: """
        SELECT credited.id, coalesce(purchases.order_id, credited.order_id) AS order_id, status, amount_tokens,
            coalesce(credits, 0) AS credits,
            coalesce(status IN ('paid', 'refunding', 'refunded'), false) <> (credits IS NOT NULL)
                OR (credits IS NOT NULL AND (credits, amount, kind, owner_id)
                    IS DISTINCT FROM (1, amount_tokens, 'wallet', user_id)) AS wrong
        FROM purchases
        FULL JOIN (
            SELECT transfers.order_id, min(transfers.id) AS id, count(*) AS credits, sum(amount)::bigint AS amount,
                min(accounts.kind) AS kind, min(owner_id) AS owner_id
            FROM transfers JOIN accounts ON accounts.id = credit_account_id
            WHERE transfers.kind = 'purchase' GROUP BY transfers.order_id
        ) credited ON credited.order_id = purchases.order_id
    """,
    Invariant.CHARGE_BACKS: """
        SELECT taken.id, coalesce(purchases.order_id, taken.order_id) AS order_id, refunded_price, refunded_tokens,
            coalesce(tokens, 0) AS taken, refunded_tokens IS DISTINCT FROM coalesce(tokens, 0)
                OR refunded_tokens <> ceil(amount_tokens * refunded_price::numeric / total_price) AS wrong
        FROM purchases
        FULL JOIN (
            SELECT order_id, min(id) AS id, sum(amount)::bigint AS tokens
            FROM transfers WHERE kind = 'charge_back' OR kind = 'refund' AND phase = 'post' GROUP BY order_id
        ) taken ON taken.order_id = purchases.order_id
        WHERE taken.id IS NOT NULL OR refunded_price > 0
    """,
    Invariant.REFUNDS: f"""
        SELECT hold.id, purchases.order_id, status, refund_tokens, hold.amount AS held, {STATE} AS hold,
            (hold.order_id, hold.amount, hold.total_price, payer.kind, payer.owner_id, {STATE}) IS DISTINCT FROM (
                purchases.order_id, refund_tokens, refund_price, 'wallet', user_id,
                CASE WHEN status = 'refunding' THEN 'open'
                    WHEN refund_failure_code IS NULL THEN 'posted' ELSE 'voided' END
            ) AS wrong
        FROM purchases
        LEFT JOIN transfers hold ON hold.id = refund_hold_id AND hold.phase = 'hold' AND hold.kind = 'refund'
        LEFT JOIN accounts payer ON payer.id = hold.debit_account_id
        LEFT JOIN transfers resolution ON resolution.hold_id = refund_hold_id
        WHERE refund_hold_id IS NOT NULL
    """,
    Invariant.DEBTS: """
        SELECT id, owner_id, debt, balance, held, paid, held_paid,
            kind <> 'wallet' OR paid - held_paid > greatest(0, (held - held_paid) - (balance - paid)) AS wrong
        FROM accounts WHERE debt > 0
    """,
    Invariant.WITHDRAWALS: f"""
        SELECT withdrawals.id, status, withdrawals.amount, hold.amount AS held, {STATE} AS hold,
            (hold.amount, payer.kind, payer.owner_id, {STATE}) IS DISTINCT FROM (
                withdrawals.amount, 'earnings', artist_id,
                CASE status WHEN 'settled' THEN 'posted' WHEN 'rejected' THEN 'voided' ELSE 'open' END
            ) AS wrong
        FROM withdrawals
        LEFT JOIN transfers hold ON hold.id = withdrawals.hold_id AND hold.phase = 'hold' AND hold.kind = 'withdrawal'
        LEFT JOIN accounts payer ON payer.id = hold.debit_account_id
        LEFT JOIN transfers resolution ON resolution.hold_id = withdrawals.hold_id
    """,
    Invariant.PAYOUTS: """
        SELECT id, artist_id, earned_until, withdrawn, earned, withdrawn > earned AS wrong
        FROM (
            SELECT id, artist_id, at AS earned_until, withdrawn, sum(tokens) OVER (
                PARTITION BY artist_id ORDER BY at, id NULLS LAST ROWS UNBOUNDED PRECEDING
            )::bigint AS earned
            FROM (
                SELECT id, artist_id, earned_until AS at, 0 AS tokens,
                    sum(amount) OVER (PARTITION BY artist_id ORDER BY created_at, id)::bigint AS withdrawn
                FROM withdrawals WHERE status <> 'rejected'
                UNION ALL
                SELECT NULL, payee.owner_id, created_at, transfers.paid, NULL
                FROM transfers JOIN accounts payee ON payee.id = credit_account_id AND payee.kind = 'earnings'
                JOIN accounts payer ON payer.id = debit_account_id AND payer.owner_id <> payee.owner_id
                WHERE phase = 'post'
                UNION ALL
                SELECT NULL, payer.owner_id, created_at, -transfers.paid, NULL
                FROM transfers JOIN accounts payer ON payer.id = debit_account_id WHERE transfers.kind = 'fee'
            ) event
        ) withdrawal
        WHERE id IS NOT NULL
    """,
}

COUNT = "SELECT count(*) AS checked, count(*) FILTER (WHERE wrong) AS broken FROM ({rows}) subject"
FIRST = "SELECT * FROM ({rows}) subject WHERE wrong ORDER BY id LIMIT 1"

KEEP = "INSERT INTO reconciliations (at, findings) VALUES ($1, $2)"
LAST = "SELECT at, findings FROM reconciliations ORDER BY id DESC LIMIT 1"


class PostgresBooks(Books):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def examine(self) -> list[Finding]:
        async with (
            self._pool.dedicated() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(SESSION_SETTINGS)
            return [await _examined(connection, invariant) for invariant in Invariant]

    async def statement(self, month: Month, *, matured_before: datetime) -> Statement:
        async with (
            self._pool.dedicated() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(SESSION_SETTINGS)
            return await statement(connection, month, matured_before)

    async def keep(self, reconciliation: Reconciliation) -> None:
        findings = {
            finding.invariant.name: {"checked": finding.checked, "broken": finding.broken, "first": finding.first}
            for finding in reconciliation.findings
        }
        await self._pool.fetch(KEEP, reconciliation.at, findings)

    async def last(self) -> Reconciliation | None:
        row = await self._pool.fetchrow(LAST)
        if row is None:
            return None
        found = row["findings"]
        known = [invariant for invariant in Invariant if invariant.name in found]
        return Reconciliation(row["at"], [Finding(invariant, **found[invariant.name]) for invariant in known])


async def _examined(connection: "asyncpg.Connection[Any]", invariant: Invariant) -> Finding:
    rows = ROWS[invariant]
    counted: Record = await connection.fetchrow(COUNT.format(rows=rows))
    first = None
    if counted["broken"]:
        found = dict(await connection.fetchrow(FIRST.format(rows=rows)))
        first = {name: value for name, value in found.items() if name != "wrong"}
    return Finding(invariant, counted["checked"], counted["broken"], first)
