from datetime import datetime

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped

from adapters.postgres.tables.base import Count, Id, Row


class AccountRow(Row):
    """Free to spend is `balance - held`. To `balance` belong the rows of BalanceDeltaRow, which are rolled up later.

    Triggers change both as transfers are written, and refuse all other changes. An account is never removed.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("kind", "owner_id", postgresql_nulls_not_distinct=True),
        CheckConstraint(
            "CASE WHEN owner_id IS NULL THEN kind IN ('issuance', 'fees') ELSE kind IN ('wallet', 'earnings') END",
            name="kind",
        ),
        CheckConstraint("CASE WHEN owner_id IS NULL THEN held = 0 ELSE held BETWEEN 0 AND balance END", name="solvent"),
        # A wallet's row is updated in place all the time: room for that on the same page.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[Id]
    kind: Mapped[str]
    owner_id: Mapped[int | None]
    """No foreign key: the account outlives its owner."""
    balance: Mapped[Count]
    """Tokens that posted transfers have moved in, less those moved out."""
    held: Mapped[Count]
    """Tokens of `balance` in open holds."""


class TransferRow(Row):
    """Append-only. Triggers check its kind, phase, accounts, reference and hold, and change the balances."""

    __tablename__ = "transfers"
    __table_args__ = (
        Index("uq_transfers_reference", "reference", unique=True, postgresql_where=text("hold_id IS NULL")),
        Index("uq_transfers_hold_id", "hold_id", unique=True, postgresql_where=text("hold_id IS NOT NULL")),
        Index(
            "ix_transfers_out",
            "debit_account_id",
            "created_at",
            "id",
            postgresql_where=text("phase IN ('hold', 'single')"),
        ),
        Index(
            "ix_transfers_in",
            "credit_account_id",
            "created_at",
            "id",
            postgresql_where=text("phase IN ('post', 'single')"),
        ),
        CheckConstraint("amount BETWEEN 1 AND 1000000000", name="amount"),
    )

    id: Mapped[Id]
    phase: Mapped[str]
    reference: Mapped[str]
    kind: Mapped[str]
    debit_account_id: Mapped[int]
    """No foreign key for either: a trigger finds both, and accounts are never removed."""
    credit_account_id: Mapped[int]
    amount: Mapped[int]
    hold_id: Mapped[int | None]
    """The hold that a post or void resolves."""
    generation_id: Mapped[int | None]
    """No foreign key: the history outlives what it tells of."""
    order_id: Mapped[str | None]
    """The purchase that brought the tokens."""
    memo: Mapped[str | None]
    price_per_token: Mapped[int | None]
    total_price: Mapped[int | None]
    currency_code: Mapped[str | None]
    created_at: Mapped[datetime]


class BalanceDeltaRow(Row):
    """What a transfer adds to an account that many use at once: appended, so that nobody waits for the account's row.

    Only triggers write it. Deleting a row rolls it up: a trigger adds it to the account's balance.
    """

    __tablename__ = "balance_deltas"
    __table_args__ = (PrimaryKeyConstraint("account_id", "transfer_id", postgresql_include=["amount"]),)

    account_id: Mapped[int]
    transfer_id: Mapped[int]
    amount: Mapped[int]
