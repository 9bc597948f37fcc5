from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.tables.base import Count, Id, Row, one_of


class AccountRow(Row):
    """Available are `balance - held`. The full balance includes BalanceDeltaRow.

    Written only by triggers on transfers; other changes are refused. Accounts are never deleted.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("kind", "owner_id", postgresql_nulls_not_distinct=True),
        one_of("kind", "wallet", "earnings", "issuance", "fees"),
        CheckConstraint("(kind IN ('wallet', 'earnings')) = (owner_id IS NOT NULL)", name="owner"),
        CheckConstraint("kind NOT IN ('wallet', 'earnings') OR balance - held >= 0", name="solvent"),
        CheckConstraint("held >= 0 AND (kind IN ('wallet', 'earnings') OR held = 0)", name="held"),
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


class TransferRow(Row):
    """Append-only. Triggers check that the accounts fit the kind and that a resolution repeats its hold, and update
    balances.
    """

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
        one_of("phase", "hold", "post", "void", "single"),
        one_of("kind", "bonus", "purchase", "generation", "refund", "withdrawal", "fee"),
        CheckConstraint("amount BETWEEN 1 AND 1000000000", name="amount"),
        CheckConstraint("debit_account_id <> credit_account_id", name="accounts"),
        CheckConstraint("(phase IN ('post', 'void')) = (hold_id IS NOT NULL)", name="hold"),
        CheckConstraint(
            "num_nulls(order_id, price_per_token, total_price, currency_code)"
            " = CASE kind WHEN 'purchase' THEN 0 ELSE 4 END",
            name="price",
        ),
        CheckConstraint("(kind IN ('generation', 'withdrawal')) = (phase <> 'single')", name="phase_of_kind"),
        CheckConstraint("(kind IN ('generation', 'fee')) = (generation_id IS NOT NULL)", name="generation"),
        # With the unique indexes: one hold per generation, one fee of it, one credit per purchase.
        CheckConstraint(
            "reference = CASE kind WHEN 'generation' THEN 'generation:' || generation_id"
            " WHEN 'fee' THEN 'fee:generation:' || generation_id WHEN 'purchase' THEN 'purchase:' || order_id"
            " ELSE reference END",
            name="reference",
        ),
    )

    id: Mapped[Id]
    phase: Mapped[str]
    reference: Mapped[str]
    kind: Mapped[str]
    debit_account_id: Mapped[int]
    """No foreign keys for either: the trigger looks up both, and accounts are never deleted."""
    credit_account_id: Mapped[int]
    amount: Mapped[int]
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    """The hold that a post or void resolves."""
    generation_id: Mapped[int | None]
    """No foreign key: the history outlives the generation."""
    order_id: Mapped[str | None]
    """The purchase that was credited."""
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
    __table_args__ = (PrimaryKeyConstraint("account_id", "transfer_id", postgresql_include=["amount"]),)

    account_id: Mapped[int]
    transfer_id: Mapped[int]
    amount: Mapped[int]
