"""Statements that would break the ledger, each with the rule that refuses it."""

from collections.abc import Mapping

WALLET = "(SELECT id FROM accounts WHERE kind = 'wallet' AND balance > 0)"
OTHER_WALLET = "(SELECT id FROM accounts WHERE kind = 'wallet' AND balance = 0)"
EARNINGS = "(SELECT id FROM accounts WHERE kind = 'earnings')"
ISSUANCE = "(SELECT id FROM accounts WHERE kind = 'issuance')"
FEES = "(SELECT id FROM accounts WHERE kind = 'fees')"

GIFT = {
    "paid": "0",
    "phase": "'single'",
    "reference": "'by hand'",
    "kind": "'bonus'",
    "debit_account_id": ISSUANCE,
    "credit_account_id": WALLET,
    "amount": "1",
    "created_at": "now()",
}
HOLD = GIFT | {
    "paid": "NULL",
    "phase": "'hold'",
    "reference": "'generation:4711'",
    "kind": "'generation'",
    "generation_id": "4711",
    "debit_account_id": WALLET,
    "credit_account_id": EARNINGS,
}
WITHDRAWAL = GIFT | {
    "paid": "NULL",
    "phase": "'hold'",
    "kind": "'withdrawal'",
    "debit_account_id": EARNINGS,
    "credit_account_id": ISSUANCE,
}

REFUND = GIFT | {
    "paid": "NULL",
    "phase": "'hold'",
    "kind": "'refund'",
    "debit_account_id": WALLET,
    "credit_account_id": ISSUANCE,
    "order_id": "(SELECT order_id FROM purchases WHERE status = 'paid')",
    "price_per_token": "100",
    "total_price": "100",
    "currency_code": "'KRW'",
}

WITHDRAWN = ("artist_id", "amount", "hold_id", "created_at", "earned_until", "status", "ended_at", "ended_by")


def insert(columns: Mapping[str, str]) -> str:
    return f"INSERT INTO transfers ({', '.join(columns)}) SELECT {', '.join(columns.values())}"


def again(which: str, **otherwise: str) -> str:
    """Like a transfer that is there, but for some columns."""
    columns = (
        "phase",
        "reference",
        "kind",
        "debit_account_id",
        "credit_account_id",
        "amount",
        "paid",
        "hold_id",
        "generation_id",
        "order_id",
        "price_per_token",
        "total_price",
        "currency_code",
        "created_at",
    )
    values = {column: column for column in columns} | otherwise
    return f"{insert(values)} FROM transfers WHERE {which} ORDER BY transfers.id LIMIT 1"


def resolving(phase: str, which: str, *, paid: str | None = None) -> str:
    paid = paid or ("amount" if phase == "post" else "NULL")
    return again(f"{which} AND phase = 'hold'", phase=f"'{phase}'", hold_id="id", paid=paid)


OPEN = "id IN (SELECT hold_id FROM generations WHERE status = 'queued')"
FAILED = "id IN (SELECT hold_id FROM generations WHERE status = 'failed')"
COMPLETED = "id IN (SELECT hold_id FROM generations WHERE status = 'completed')"
PENDING = "id IN (SELECT hold_id FROM withdrawals WHERE status = 'pending')"
SETTLED = "id IN (SELECT hold_id FROM withdrawals WHERE status = 'settled')"
REJECTED = "id IN (SELECT hold_id FROM withdrawals WHERE status = 'rejected')"

REFUNDING = "id IN (SELECT refund_hold_id FROM purchases WHERE status = 'refunding')"
REFUNDED = "id IN (SELECT refund_hold_id FROM purchases WHERE status = 'refunded' AND refund_failure_code IS NULL)"
UNREFUNDED = "id IN (SELECT refund_hold_id FROM purchases WHERE refund_failure_code IS NOT NULL)"

REFUSED = {
    # an amount is positive and bounded
    "nothing": (insert(GIFT | {"amount": "0"}), "ck_transfers_amount"),
    "less than nothing": (insert(GIFT | {"amount": "-1"}), "ck_transfers_amount"),
    "too much": (insert(GIFT | {"amount": "1000000001"}), "ck_transfers_amount"),
    # two sides, those of its kind
    "to oneself": (insert(GIFT | {"debit_account_id": WALLET}), "transfers_go_as_named"),
    "from nowhere": (insert(GIFT | {"debit_account_id": "4711"}), "transfers_go_as_named"),
    "to nowhere": (insert(GIFT | {"credit_account_id": "4711"}), "transfers_go_as_named"),
    "between users": (insert(GIFT | {"debit_account_id": OTHER_WALLET}), "transfers_go_as_named"),
    "a gift of earnings": (insert(GIFT | {"credit_account_id": EARNINGS}), "transfers_go_as_named"),
    "a refund by the artist": (
        insert(GIFT | {"kind": "'refund'", "debit_account_id": EARNINGS}),
        "transfers_go_as_named",
    ),
    "a sale to the fees": (
        again("kind = 'purchase'", order_id="'another'", reference="'purchase:another'", credit_account_id=FEES),
        "transfers_go_as_named",
    ),
    "an image paid to a wallet": (insert(HOLD | {"credit_account_id": OTHER_WALLET}), "transfers_go_as_named"),
    "an image paid by the platform": (insert(HOLD | {"debit_account_id": ISSUANCE}), "transfers_go_as_named"),
    "an image paid by earnings": (
        insert(HOLD | {"debit_account_id": EARNINGS, "credit_account_id": FEES}),
        "transfers_go_as_named",
    ),
    "a wallet withdrawn": (insert(WITHDRAWAL | {"debit_account_id": WALLET}), "transfers_go_as_named"),
    "a refund of earnings": (insert(REFUND | {"debit_account_id": EARNINGS}), "transfers_go_as_named"),
    "a refund to a wallet": (insert(REFUND | {"credit_account_id": OTHER_WALLET}), "transfers_go_as_named"),
    "a withdrawal to a wallet": (insert(WITHDRAWAL | {"credit_account_id": WALLET}), "transfers_go_as_named"),
    "a fee to the wallet": (
        again("kind = 'fee'", reference="'x'", credit_account_id=WALLET),
        "transfers_go_as_named",
    ),
    # in the phases of its kind
    "a gift on hold": (insert(GIFT | {"phase": "'hold'"}), "transfers_go_as_named"),
    "an image paid at once": (insert(HOLD | {"phase": "'single'"}), "transfers_go_as_named"),
    "a withdrawal at once": (insert(WITHDRAWAL | {"phase": "'single'"}), "transfers_go_as_named"),
    "a refund at once": (insert(REFUND | {"phase": "'single'", "paid": "1"}), "transfers_go_as_named"),
    "a post of nothing": (insert(HOLD | {"phase": "'post'"}), "transfers_go_as_named"),
    "a hold of a hold": (again(OPEN, reference="'x'", hold_id="id"), "transfers_resolve_as_held"),
    "an unknown kind": (insert(GIFT | {"kind": "'tip'"}), "transfers_go_as_named"),
    "an unknown phase": (insert(GIFT | {"phase": "'later'"}), "transfers_go_as_named"),
    "a hold for no image": (insert(HOLD | {"generation_id": "NULL"}), "transfers_reference_of_kind"),
    "a gift for an image": (insert(GIFT | {"generation_id": "1"}), "transfers_reference_of_kind"),
    # what it is for
    "a gift for a purchase": (insert(GIFT | {"order_id": "'x'"}), "transfers_reference_of_kind"),
    "a gift with a price": (insert(GIFT | {"total_price": "5"}), "transfers_reference_of_kind"),
    "a sale of no purchase": (insert(GIFT | {"kind": "'purchase'"}), "transfers_reference_of_kind"),
    "a sale without a price": (
        insert(GIFT | {"kind": "'purchase'", "reference": "'purchase:x'", "order_id": "'x'"}),
        "transfers_reference_of_kind",
    ),
    "a refund of no purchase": (insert(REFUND | {"order_id": "NULL"}), "transfers_reference_of_kind"),
    "a refund without money": (insert(REFUND | {"total_price": "NULL"}), "transfers_reference_of_kind"),
    "a refund posted for another purchase": (
        again(f"{REFUNDING} AND phase = 'hold'", phase="'post'", hold_id="id", paid="amount", order_id="'another'"),
        "transfers_resolve_as_held",
    ),
    "a refund posted with other money": (
        again(f"{REFUNDING} AND phase = 'hold'", phase="'post'", hold_id="id", paid="amount", total_price="5"),
        "transfers_resolve_as_held",
    ),
    "a post with a price": (
        again(OPEN, phase="'post'", hold_id="id", total_price="5"),
        "transfers_resolve_as_held",
    ),
    # once
    "a gift twice": (again("kind = 'bonus'"), "uq_transfers_reference"),
    "a purchase credited twice": (again("kind = 'purchase'"), "uq_transfers_reference"),
    "a purchase credited twice by another name": (
        again("kind = 'purchase'", reference="'again'"),
        "transfers_reference_of_kind",
    ),
    "an image held twice": (again(OPEN), "uq_transfers_reference"),
    "an image held twice by another name": (again(OPEN, reference="'again'"), "transfers_reference_of_kind"),
    "a fee twice": (again("kind = 'fee'"), "uq_transfers_reference"),
    "a fee twice by another name": (again("kind = 'fee'", reference="'again'"), "transfers_reference_of_kind"),
    "posted twice": (resolving("post", COMPLETED), "uq_transfers_hold_id"),
    "voided after it was posted": (resolving("void", COMPLETED), "uq_transfers_hold_id"),
    "posted after it was voided": (resolving("post", FAILED), "uq_transfers_hold_id"),
    "a withdrawal settled twice": (resolving("post", SETTLED), "uq_transfers_hold_id"),
    "a settled withdrawal rejected": (resolving("void", SETTLED), "uq_transfers_hold_id"),
    "a rejected withdrawal settled": (resolving("post", REJECTED), "uq_transfers_hold_id"),
    "a refund posted twice": (resolving("post", REFUNDED), "uq_transfers_hold_id"),
    "a completed refund voided": (resolving("void", REFUNDED), "uq_transfers_hold_id"),
    "a refused refund posted": (resolving("post", UNREFUNDED), "uq_transfers_hold_id"),
    # as it was held
    "a post of more": (again(OPEN, phase="'post'", hold_id="id", amount="31"), "transfers_resolve_as_held"),
    "a post of less": (again(OPEN, phase="'post'", hold_id="id", amount="29"), "transfers_resolve_as_held"),
    "a post to another": (
        again(OPEN, phase="'post'", hold_id="id", credit_account_id=FEES),
        "transfers_resolve_as_held",
    ),
    # no more than there is: 140 in the wallet, 130 of them held; 45 earned of bought tokens, 20 of them withdrawn
    "a wallet overdrawn": (insert(HOLD | {"amount": "11"}), "ck_accounts_solvent"),
    "a refund of more than is there": (insert(REFUND | {"amount": "11"}), "ck_accounts_solvent"),
    "a bonus token withdrawn": (insert(WITHDRAWAL | {"amount": "26"}), "ck_accounts_solvent"),
    # bonus tokens are spent first, and no others are withdrawn
    "paid tokens spent while there are bonus ones": (
        f"WITH given AS ({insert(GIFT)}) {resolving('post', OPEN, paid='30')}",
        "transfers_spend_bonus_first",
    ),
    "a gift as if it was bought": (insert(GIFT | {"paid": "1"}), "transfers_paid_of_kind"),
    "a sale as if it was a gift": (
        again("kind = 'purchase'", reference="'purchase:x'", order_id="'x'", paid="0"),
        "transfers_paid_of_kind",
    ),
    "a hold that says what it spends": (insert(HOLD | {"paid": "1"}), "transfers_paid_of_kind"),
    "a post of more paid tokens than tokens": (resolving("post", OPEN, paid="31"), "transfers_paid_of_kind"),
    "a post that does not say what it spends": (resolving("post", OPEN, paid="NULL"), "transfers_paid_of_kind"),
    "a void that says what it spends": (resolving("void", OPEN, paid="0"), "transfers_paid_of_kind"),
    # as what it pays for has ended
    "an unfinished image posted": (resolving("post", OPEN), "transfers_resolve_as_ended"),
    "an unfinished image voided": (resolving("void", OPEN), "transfers_resolve_as_ended"),
    "a pending withdrawal posted": (resolving("post", PENDING), "transfers_withdrawal_as_ended"),
    "a pending withdrawal voided": (resolving("void", PENDING), "transfers_withdrawal_as_ended"),
    "a pending refund posted": (resolving("post", REFUNDING), "transfers_taken_back_is_refunded"),
    "a pending refund voided": (resolving("void", REFUNDING), "transfers_refund_as_ended"),
    "an image completed and not paid": (
        "UPDATE generations SET status = 'completed', ended_at = now(), result_key = 'x' WHERE status = 'queued'",
        "generations_settle_as_ended",
    ),
    "an image failed and paid": (
        "UPDATE generations SET status = 'failed', fee_tokens = 0 WHERE status = 'completed'",
        "generations_settle_as_ended",
    ),
    "a cancelled generation whose hold is not voided": (
        "UPDATE generations SET status = 'cancelled', ended_at = now() WHERE status = 'queued'",
        "generations_settle_as_ended",
    ),
    "an ended image queued again": (
        "UPDATE generations SET status = 'queued', ended_at = NULL WHERE status = 'failed'",
        "generations_stay_ended",
    ),
    "another fee afterwards": (
        "UPDATE generations SET fee_tokens = fee_tokens + 1 WHERE status = 'completed'",
        "generations_stay_ended",
    ),
    # an image has its owner's hold of its price, for its artist
    "an image paid by another": (
        "UPDATE generations SET owner_id = artist_id WHERE status = 'queued'",
        "generations_held_as_priced",
    ),
    "a hold for another image": (
        "UPDATE generations SET hold_id = 0 WHERE status = 'queued'",
        "generations_held_as_priced",
    ),
    "a fee for an unfinished image": (
        "UPDATE generations SET fee_tokens = 1 WHERE status = 'queued'",
        "ck_generations_fee_tokens",
    ),
    # money in, money out
    "a purchase paid and not credited": (
        "UPDATE purchases SET status = 'paid', payment_key = 'x', ended_at = now() WHERE status = 'pending'",
        "purchases_paid_is_credited",
    ),
    "a payment that bought before": (
        "UPDATE purchases SET status = 'paid', ended_at = now(),"
        " payment_key = (SELECT payment_key FROM purchases WHERE status = 'paid') WHERE status = 'pending'",
        "uq_purchases_payment_key",
    ),
    "a purchase credited and not paid": (
        again(
            "kind = 'purchase'",
            reference="(SELECT 'purchase:' || order_id FROM purchases WHERE status = 'pending')",
            order_id="(SELECT order_id FROM purchases WHERE status = 'pending')",
        ),
        "transfers_credited_is_paid",
    ),
    "a purchase refunded without its tokens": (
        "UPDATE purchases SET refunded_price = 2000, refunded_tokens = 20 WHERE status = 'paid'",
        "purchases_refunded_is_taken_back",
    ),
    "a purchase refunded with fewer tokens": (
        "UPDATE purchases SET refunded_price = 2000, refunded_tokens = 10 WHERE status = 'paid'",
        "ck_purchases_refunded",
    ),
    "tokens taken back that were not refunded": (
        again("kind = 'charge_back'", reference="'another'"),
        "transfers_taken_back_is_refunded",
    ),
    "tokens on hold for no refund": (insert(REFUND), "transfers_refund_as_ended"),
    "a refund without a hold": (
        "UPDATE purchases SET status = 'refunding', refund_hold_id = 0, refund_tokens = 1, refund_price = 100,"
        " refund_reason = 'x' WHERE status = 'paid'",
        "purchases_refunding_is_held",
    ),
    "a refund with another's hold": (
        "UPDATE purchases SET status = 'refunding', refund_tokens = 1, refund_price = 100, refund_reason = 'x',"
        " refund_hold_id = (SELECT refund_hold_id FROM purchases WHERE status = 'refunding') WHERE status = 'paid'",
        "uq_purchases_refund_hold_id",
    ),
    "a pending refund given up without its hold": (
        "UPDATE purchases SET status = 'paid', refund_failure_code = 'X', refund_failure_message = 'x'"
        " WHERE status = 'refunding'",
        "purchases_refunding_is_held",
    ),
    "a completed refund refused after all": (
        "UPDATE purchases SET refund_failure_code = 'X', refund_failure_message = 'x'"
        " WHERE status = 'refunded' AND refund_failure_code IS NULL",
        "purchases_refunding_is_held",
    ),
    "a completed refund without its tokens": (
        "UPDATE purchases SET status = 'refunded', refunded_price = total_price, refunded_tokens = amount_tokens"
        " WHERE status = 'refunding'",
        "purchases_refunded_is_taken_back",
    ),
    "a pending refund of all that was paid": (
        "UPDATE purchases SET status = 'refunding' WHERE status = 'refunded' AND refund_failure_code IS NULL",
        "ck_purchases_refund",
    ),
    "a debt forgiven that is none": (
        insert(GIFT | {"kind": "'forgiveness'", "paid": "1"}),
        "ck_accounts_solvent",
    ),
    "a withdrawal settled and not posted": (
        "UPDATE withdrawals SET status = 'settled', ended_at = now(), ended_by = 0 WHERE status = 'pending'",
        "withdrawals_withdrawn_as_held",
    ),
    "a withdrawal settled by its artist": (
        "UPDATE withdrawals SET status = 'settled', ended_at = now(), ended_by = artist_id WHERE status = 'pending'",
        "ck_withdrawals_ended_by",
    ),
    "a rejected withdrawal settled after all": (
        "UPDATE withdrawals SET status = 'settled', reason = NULL WHERE status = 'rejected'",
        "withdrawals_withdrawn_as_held",
    ),
    "a settled withdrawal pending again": (
        "UPDATE withdrawals SET status = 'pending', ended_at = NULL, ended_by = NULL WHERE status = 'settled'",
        "uq_withdrawals_pending",
    ),
    "a second pending withdrawal": (
        f"INSERT INTO withdrawals ({', '.join(WITHDRAWN)})"
        f" SELECT {', '.join(WITHDRAWN).replace('hold_id', '-hold_id')} FROM withdrawals"
        " WHERE status = 'pending'",
        "uq_withdrawals_pending",
    ),
    "two withdrawals of one hold": (
        f"INSERT INTO withdrawals ({', '.join(WITHDRAWN)}) SELECT {', '.join(WITHDRAWN)} FROM withdrawals"
        " WHERE status = 'settled'",
        "uq_withdrawals_hold_id",
    ),
}

GONE = {
    "transfers is append-only": [
        "UPDATE transfers SET created_at = now()",
        "DELETE FROM transfers WHERE kind = 'bonus'",
        "TRUNCATE transfers CASCADE",
    ],
    "purchases is append-only": [
        "DELETE FROM purchases WHERE status = 'paid'",
        "UPDATE purchases SET amount_tokens = 1 WHERE status = 'paid'",
        "UPDATE purchases SET refunded_price = 0, refunded_tokens = 0 WHERE status = 'paid'",
        "UPDATE purchases SET refund_price = refund_price - 1 WHERE status = 'refunding'",
        "UPDATE purchases SET status = 'pending' WHERE status = 'refunding'",
        "DELETE FROM purchases WHERE status = 'refunding'",
    ],
    "withdrawals is append-only": [
        "DELETE FROM withdrawals WHERE status = 'settled'",
        "TRUNCATE withdrawals",
        "UPDATE withdrawals SET earned_until = created_at - interval '1 day'",
    ],
    "accounts is append-only": ["DELETE FROM accounts WHERE kind = 'fees'", "TRUNCATE accounts"],
    "accounts change by transfers only": ["UPDATE accounts SET id = 0 WHERE kind = 'fees'"],
    "generations is append-only": ["DELETE FROM generations WHERE status = 'queued'"],
}
