from datetime import datetime

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped

from adapters.postgres.tables.base import Count, Id, Row


class AccountRow(Row):
    """Available are `balance - held`. The full balance includes BalanceDeltaRow.

    Written only by triggers on transfers; other changes are refused. Accounts are never deleted.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("kind", "owner_id", postgresql_nulls_not_distinct=True),
        CheckConstraint(
            "CASE WHEN owner_id IS NULL THEN kind IN ('issuance', 'fees') ELSE kind IN ('wallet', 'earnings') END",
            name="kind",
        ),
        CheckConstraint(
            "CASE WHEN owner_id IS NULL THEN held = 0 ELSE least(held_paid, debt) >= 0"
            " AND held BETWEEN held_paid AND balance AND paid BETWEEN held_paid AND balance END",
            name="solvent",
        ),
        # Frequent updates of a wallet stay on the same page.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[Id]
    kind: Mapped[str]
    owner_id: Mapped[int | None]
    """No foreign key: the account outlives its owner."""
    balance: Mapped[Count]
    """Posted transfers in, less those out, without BalanceDeltaRow."""
    held: Mapped[Count]
    """The part of `balance` in open holds."""
    paid: Mapped[Count]
    """The part of `balance` that was bought; of earnings, by others than the artist. Without BalanceDeltaRow."""
    held_paid: Mapped[Count]
    """The part of `held` in withdrawals and refunds, which take paid tokens only."""
    debt: Mapped[Count]
    """Of a wallet: spent tokens whose money was taken back."""


class TransferRow(Row):
    """Append-only. Triggers check its kind, phase, accounts, reference and hold, and update the balances."""

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
        Index(None, "order_id", postgresql_where=text("order_id IS NOT NULL")),
        CheckConstraint("amount BETWEEN 1 AND 1000000000", name="amount"),
    )

    id: Mapped[Id]
    phase: Mapped[str]
    reference: Mapped[str]
    kind: Mapped[str]
    debit_account_id: Mapped[int]
    """No foreign keys for either: the trigger looks up both, and accounts are never deleted."""
    credit_account_id: Mapped[int]
    amount: Mapped[int]
    paid: Mapped[int | None]
    """How many of them are paid ones; None for holds and voids."""
    hold_id: Mapped[int | None]
    """The hold that a post or void resolves."""
    generation_id: Mapped[int | None]
    """No foreign key: the history outlives the generation."""
    order_id: Mapped[str | None]
    """The purchase that was credited, taken back or refunded."""
    memo: Mapped[str | None]
    price_per_token: Mapped[int | None]
    total_price: Mapped[int | None]
    currency_code: Mapped[str | None]
    created_at: Mapped[datetime]


class BalanceDeltaRow(Row):
    """What a transfer added to a busy account: a delta, because updates of one row would serialize.

    Written only by triggers. Deleting a delta rolls it up: a trigger adds it to the account's balance.
    """

    __tablename__ = "balance_deltas"
    __table_args__ = (PrimaryKeyConstraint("account_id", "transfer_id", postgresql_include=["amount", "paid"]),)

    account_id: Mapped[int]
    transfer_id: Mapped[int]
    amount: Mapped[int]
    paid: Mapped[int]
