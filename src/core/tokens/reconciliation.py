from datetime import datetime
from enum import Enum

import msgspec

from core.errors import Details


class Invariant(Enum):
    """Properties of the ledger that hold after every commit."""

    SOLVENT = "no wallet and no earnings are below what is on hold in them"
    BALANCES = "every balance equals the sum of its transfers"
    HELD = "the tokens on hold in an account equal the sum of its open holds"
    ZERO_SUM = "the sum over all accounts is zero"
    SOURCES = "the paid part of every transfer and balance follows from its sources"
    REFERENCES = "no reference is used twice"
    RESOLUTIONS = "a hold is resolved once at most, and as it was made"
    OPEN_HOLDS = "every open hold waits for an image, a withdrawal or a refund"
    GENERATIONS_HELD = "every image has one hold: its price, from its owner to its artist"
    GENERATIONS_SETTLED = "completed images are paid for, failed and cancelled ones refunded, and no others"
    FEES = "every fee equals the fee recorded with its generation"
    PURCHASES = "every paid purchase is credited once, and no other"
    CHARGE_BACKS = "tokens taken back for a purchase are those whose money went back"
    REFUNDS = "a refund's hold is open, posted or voided as it is pending, completed or refused"
    DEBTS = "no wallet has both a debt and bought tokens to pay it"
    WITHDRAWALS = "a withdrawal's hold is open, posted or voided as it is pending, settled or rejected"
    PAYOUTS = "withdrawals of an artist do not exceed the matured earnings that others paid with bought tokens"


class Finding(msgspec.Struct, frozen=True):
    """The result of checking one invariant."""

    invariant: Invariant
    checked: int
    """How many rows were checked."""
    broken: int
    """How many of them violate it."""
    first: Details | None = None
    """The first row that violates it."""


class Reconciliation(msgspec.Struct, frozen=True):
    at: datetime
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        return not any(finding.broken for finding in self.findings)
