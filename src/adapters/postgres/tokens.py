from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial

import msgspec

from adapters.postgres.transaction import Explain, PostgresTransaction
from adapters.postgres.writes import Write
from core.identifiers import HoldId, UserId
from core.ports.token_ledger import TokenLedger
from core.tokens.errors import AccountNotFound, InsufficientTokens
from core.tokens.model import BOUGHT, FEE_MEMO, Account, AccountKind, Hold, Transfer, TransferKind

# Only transfers are written here; triggers update the balances. Busy accounts (earnings and the platform's) have deltas
# in balance_deltas that belong to their balance.

OPEN_ACCOUNT = Write(
    target="ledger",
    columns="accounts",
    ctes="""
        opened AS (
            INSERT INTO accounts (kind, owner_id) SELECT kind, owner_id FROM input_ledger
            ON CONFLICT ON CONSTRAINT uq_accounts_kind_owner_id DO NOTHING
        )""",
)
TRANSFER = "reference text, kind text, debit_owner bigint, credit_owner bigint, amount bigint, created_at timestamptz"

SALE = "order_id text, price_per_token bigint, total_price bigint, currency_code text"


@cache
def _hold(debit: AccountKind, credit: AccountKind, *, sold: bool) -> Write:
    more, types = (f", memo, {SOLD}", f", memo text, {SALE}") if sold else ("", "")
    return Write(
        target="ledger",
        columns=f"id bigint, generation_id bigint, {TRANSFER}{types}",
        ctes=f"""
        held AS (
            INSERT INTO transfers (
                id, phase, reference, kind, debit_account_id, credit_account_id, amount, generation_id, created_at{more}
            )
            SELECT input.id, 'hold', reference, input.kind, debit.id, credit.id, amount, generation_id, created_at{more}
            FROM input_ledger input
            CROSS JOIN LATERAL ({_account("debit", debit)}) debit
            CROSS JOIN LATERAL ({_account("credit", credit)}) credit
            ORDER BY debit.id
            RETURNING id
        )""",
        finds="held",
        rule="account_found",
        batched=True,
    )


SOLD = "order_id, price_per_token, total_price, currency_code"
RESOLUTION = f"reference, kind, debit_account_id, credit_account_id, amount, hold_id, generation_id, {SOLD}, created_at"
RESOLVED = f"""reference, hold.kind, debit_account_id, credit_account_id, amount, hold.id, hold.generation_id,
                {SOLD}, input.at"""
HOLDS = "input_ledger input JOIN transfers hold ON hold.id = input.hold_id AND phase = 'hold'"

VOID = Write(
    target="ledger",
    columns="hold_id bigint, at timestamptz",
    ctes=f"""
        resolved AS (
            INSERT INTO transfers (phase, {RESOLUTION}) SELECT 'void', {RESOLVED} FROM {HOLDS} RETURNING hold_id
        )""",
    finds="resolved",
    rule="hold_found",
)


def _post(*charged: str) -> Write:
    # Bonus tokens are spent first. The payer's row is locked, so that what is left of them is read as it is.
    resolved = f"""
        payers AS MATERIALIZED (
            SELECT id, owner_id, balance - paid AS bonus FROM accounts
            WHERE id IN (SELECT debit_account_id FROM {HOLDS})
            ORDER BY id FOR NO KEY UPDATE
        ),
        resolved AS (
            INSERT INTO transfers (phase, {RESOLUTION}, paid)
            SELECT 'post', {RESOLVED},
                CASE hold.kind WHEN 'generation' THEN
                    least(amount, greatest(0, sum(amount) OVER (PARTITION BY payers.id ORDER BY hold.id) - bonus))
                ELSE amount END
            FROM {HOLDS} JOIN payers ON payers.id = debit_account_id
            RETURNING hold_id, reference, debit_account_id, credit_account_id, generation_id, amount, paid, created_at
        )"""
    columns = "hold_id bigint, at timestamptz, fee bigint, memo text"
    return Write("ledger", columns, ", ".join([resolved, *charged]), finds="resolved", rule="hold_found")


POST = _post()
POST_AND_CHARGE = _post(
    """
        charged AS (
            INSERT INTO transfers (
                phase, reference, kind, debit_account_id, credit_account_id, amount, paid, generation_id, memo,
                created_at
            )
            SELECT 'single', 'fee:' || reference, 'fee', credit_account_id, fees.id, fee,
                CASE payers.owner_id WHEN payee.owner_id THEN 0 ELSE resolved.paid * fee / amount END, generation_id,
                memo, created_at
            FROM resolved JOIN input_ledger USING (hold_id) JOIN payers ON payers.id = debit_account_id
            JOIN accounts payee ON payee.id = credit_account_id, accounts fees WHERE fees.kind = 'fees'
        )""",
)


@cache
def _transfer(debit: AccountKind, credit: AccountKind) -> Write:
    return Write(
        target="ledger",
        columns=f"{TRANSFER}, paid bigint, memo text, {SALE}",
        ctes=f"""
        moved AS (
            INSERT INTO transfers
                (phase, reference, kind, debit_account_id, credit_account_id, amount, paid, memo, created_at, order_id,
                    price_per_token, total_price, currency_code)
            SELECT 'single', reference, input.kind, debit.id, credit.id, amount, input.paid, memo, created_at, order_id,
                price_per_token, total_price, currency_code
            FROM input_ledger input
            CROSS JOIN LATERAL ({_account("debit", debit)}) debit
            CROSS JOIN LATERAL ({_account("credit", credit)}) credit
            RETURNING id
        )""",
        finds="moved",
        rule="account_found",
    )


def _account(side: str, kind: AccountKind) -> str:
    """The account of one row. The limit keeps it a look-up by key, also on tables that were never analyzed."""
    owner = f"input.{side}_owner"
    has_owner = kind in (AccountKind.WALLET, AccountKind.EARNINGS)
    owned = f"owner_id = {owner}" if has_owner else f"owner_id IS NULL AND {owner} IS NULL"
    return f"SELECT id FROM accounts WHERE kind = '{kind.value}' AND {owned} LIMIT 1"


DELTA = "(SELECT coalesce(sum({0}), 0) FROM balance_deltas WHERE account_id = mine.id)"
FREE = f"""
SELECT CASE $3
    WHEN 'withdrawal' THEN paid - held_paid + {DELTA.format("paid")}
    WHEN 'forgiveness' THEN debt
    WHEN 'taken_bonus' THEN least(balance - paid, balance - held)
    WHEN 'refund' THEN paid - held_paid - greatest(0, (held - held_paid) - (balance - paid))
    ELSE balance - held + {DELTA.format("amount")} END::bigint AS tokens
FROM accounts mine WHERE kind = $1 AND owner_id = $2
"""
DEBT = "SELECT debt FROM accounts WHERE kind = 'wallet' AND owner_id = $1"
MATURING = """(
    (SELECT coalesce(sum(paid), 0) FROM transfers
        WHERE credit_account_id = mine.id AND phase IN ('post', 'single') AND created_at >= {since}
            AND debit_account_id IS DISTINCT FROM (
                SELECT own.id FROM accounts own WHERE own.kind = 'wallet' AND own.owner_id = mine.owner_id
            ))
    - (SELECT coalesce(sum(paid), 0) FROM transfers
        WHERE debit_account_id = mine.id AND phase IN ('hold', 'single') AND kind = 'fee' AND created_at >= {since})
)"""
WITHDRAWABLE = f"""
SELECT (paid - held_paid + {DELTA.format("paid")} - {MATURING.format(since="$2")})::bigint AS tokens
FROM accounts mine WHERE kind = 'earnings' AND owner_id = $1
"""


class PostgresTokenLedger(TokenLedger):
    def __init__(self, transaction: PostgresTransaction) -> None:
        self._transaction = transaction

    async def open(self, account: Account) -> None:
        await self._transaction.write(OPEN_ACCOUNT, {"kind": account.kind, "owner_id": account.owner})

    async def transfer(self, transfer: Transfer) -> None:
        sale = msgspec.structs.asdict(transfer.sale) if transfer.sale else {}
        row = {"memo": transfer.memo, **_transfer_row(transfer), **sale}
        row["paid"] = transfer.amount if transfer.kind in BOUGHT else 0
        await self._transaction.write(
            _transfer(transfer.debit.kind, transfer.credit.kind), row, explain=self._explained(transfer)
        )

    async def hold(self, hold: Hold) -> None:
        row = {"id": hold.id, "generation_id": hold.generation_id, **_transfer_row(hold)}
        if hold.sale:
            row |= {"memo": hold.memo, **msgspec.structs.asdict(hold.sale)}
        await self._transaction.write(
            _hold(hold.debit.kind, hold.credit.kind, sold=hold.sale is not None),
            row,
            explain=self._explained(hold),
        )

    async def post(self, hold_id: HoldId, *, at: datetime, fee: int = 0) -> None:
        row = {"hold_id": hold_id, "at": at, "fee": fee, "memo": FEE_MEMO}
        await self._transaction.write(POST_AND_CHARGE if fee else POST, row)

    async def void(self, hold_id: HoldId, *, at: datetime) -> None:
        await self._transaction.write(VOID, {"hold_id": hold_id, "at": at})

    async def debt(self, user_id: UserId) -> int:
        row = await self._transaction.fetchrow(DEBT, user_id)
        return row["debt"] if row else 0

    async def withdrawable(self, artist_id: UserId, *, earned_until: datetime) -> int:
        row = await self._transaction.fetchrow(WITHDRAWABLE, artist_id, earned_until)
        if row is None:
            raise AccountNotFound
        tokens: int = row["tokens"]
        return tokens

    def _explained(self, movement: Transfer | Hold) -> Mapping[str | None, Explain]:
        return {"ck_accounts_solvent": partial(self._insufficient, movement)}

    async def _insufficient(self, movement: Transfer | Hold) -> InsufficientTokens:
        kind = movement.kind
        account = movement.credit if kind is TransferKind.FORGIVENESS else movement.debit
        row = await self._transaction.unit.fetchrow(FREE, account.kind.value, account.owner, kind.value)
        return InsufficientTokens(required=movement.amount, available=row["tokens"] if row else 0)


def _transfer_row(movement: Transfer | Hold) -> dict[str, object]:
    return {
        "reference": movement.reference,
        "kind": movement.kind,
        "debit_owner": movement.debit.owner,
        "credit_owner": movement.credit.owner,
        "amount": movement.amount,
        "created_at": movement.at,
    }
