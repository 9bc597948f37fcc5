"""Tokens bought with money."""

from alembic import op

revision = "0003"
down_revision = "0002"

COMMENTS = {
    "TABLE purchases": "Orders of token packages at the payment provider.",
    "COLUMN purchases.user_id": "The buyer. No foreign key: the purchase outlives the user.",
    "COLUMN purchases.total_price": "In the currency's smallest unit, as sent to the payment provider.",
    "COLUMN purchases.expires_at": "No payment is captured after this.",
    "COLUMN purchases.check_at": """
        When the payment provider is asked next, while it is pending or being refunded.""",
    "COLUMN purchases.payment_key": "The payment at the provider that has paid for it, or has failed.",
    "CONSTRAINT uq_purchases_payment_key ON purchases": "A payment pays for one purchase.",
    "CONSTRAINT ck_purchases_status ON purchases": "A status of the core's enum.",
    "CONSTRAINT ck_purchases_terms ON purchases": """
        Nothing is bought for nothing, and every token costs the same: a refund in part is of whole tokens.""",
    "CONSTRAINT ck_purchases_ended ON purchases": "Pending or ended.",
    "CONSTRAINT ck_purchases_payment ON purchases": "A paid or failed purchase names its payment.",
    "CONSTRAINT ck_purchases_failure ON purchases": "A failed purchase has a reason, others have none.",
    "CONSTRAINT ck_purchases_refunded ON purchases": """
        Only what was paid is refunded, in part or all of it; its tokens are rounded up.""",
    "COLUMN purchases.refunded_price": "How much of the money has gone back.",
    "COLUMN purchases.refunded_tokens": "How many of the tokens were taken back for it, or are owed.",
    "COLUMN purchases.refund_hold_id": """
        The transfer that holds the tokens of the last refund that was requested. No foreign key: paid_is_credited finds
        it.""",
    "COLUMN purchases.refund_failure_code": "Why the payment provider has refused that refund.",
    "CONSTRAINT uq_purchases_refund_hold_id ON purchases": "A hold is resolved once: it waits for one refund.",
    "CONSTRAINT ck_purchases_refund ON purchases": """
        Only what was paid is being refunded, and no more than is left of it; only what was refused says why.""",
    "INDEX ix_transfers_order_id": "What a purchase was credited with, and what was taken back of it.",
    "INDEX ix_purchases_check_at": "Purchases that are to be checked at the payment provider.",
    "INDEX ix_purchases_user_id": "A user's purchases, when the account is deleted or exported.",
    "TRIGGER purchases_stay_paid ON purchases": """
        Money that was taken is credited once: of a paid purchase nothing changes but its refunds and what has gone back
        of it. A refund does not change while it is pending.""",
    "TRIGGER purchases_stay_credited ON purchases": "A paid purchase is never removed.",
    "FUNCTION paid_is_credited()": """
        Finds the transfer that credits a paid purchase to its buyer, those that take refunded tokens back, and the hold
        of its last refund.""",
    "TRIGGER purchases_paid_is_credited ON purchases": """
        A purchase is credited if and only if it is paid, checked at the commit: no paid purchase without its
        transfer, and no refunded one without those that take its tokens back (purchases_refunded_is_taken_back).
        The hold of its last refund is open, posted or voided as that is pending, completed or refused
        (purchases_refunding_is_held).""",
    "FUNCTION credited_is_paid()": "Finds the paid purchase that a transfer credits or takes back.",
    "TRIGGER transfers_credited_is_paid ON transfers": """
        A purchase is credited if and only if it is paid, checked at the commit: no transfer of an unpaid purchase, and
        none that takes back what was not refunded (transfers_taken_back_is_refunded), or holds or resolves tokens for a
        refund that is not pending or has not ended like this (transfers_refund_as_ended).""",
}


def upgrade() -> None:
    op.execute("""
        CREATE TABLE purchases (
            order_id text NOT NULL,
            user_id bigint NOT NULL,
            package_id text NOT NULL,
            amount_tokens bigint NOT NULL,
            total_price bigint NOT NULL,
            price_per_token bigint NOT NULL,
            currency_code text NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            check_at timestamptz NOT NULL,
            status text NOT NULL,
            payment_key text,
            failure_code text,
            failure_message text,
            ended_at timestamptz,
            refunded_price bigint DEFAULT 0 NOT NULL,
            refunded_tokens bigint DEFAULT 0 NOT NULL,
            refund_hold_id bigint,
            refund_tokens bigint,
            refund_price bigint,
            refund_reason text,
            refund_failure_code text,
            refund_failure_message text,
            CONSTRAINT pk_purchases PRIMARY KEY (order_id),
            CONSTRAINT uq_purchases_payment_key UNIQUE (payment_key),
            CONSTRAINT uq_purchases_refund_hold_id UNIQUE (refund_hold_id),
            CONSTRAINT ck_purchases_status CHECK (
                status IN ('pending', 'paid', 'failed', 'expired', 'refunding', 'refunded')
            ),
            CONSTRAINT ck_purchases_terms CHECK (
                amount_tokens > 0 AND price_per_token > 0 AND total_price = amount_tokens * price_per_token
            ),
            CONSTRAINT ck_purchases_ended CHECK ((status = 'pending') = (ended_at IS NULL)),
            CONSTRAINT ck_purchases_payment CHECK (
                (status IN ('paid', 'failed', 'refunding', 'refunded')) = (payment_key IS NOT NULL)
            ),
            CONSTRAINT ck_purchases_refunded CHECK (
                CASE refunded_price WHEN 0 THEN refunded_tokens = 0 AND status <> 'refunded'
                ELSE refunded_price BETWEEN 1 AND total_price
                    AND refunded_tokens = ceil(amount_tokens * refunded_price::numeric / total_price)
                    AND CASE refunded_price WHEN total_price THEN status = 'refunded'
                        ELSE status IN ('paid', 'refunding') END END
            ),
            CONSTRAINT ck_purchases_refund CHECK (
                CASE WHEN refund_hold_id IS NULL THEN status <> 'refunding' AND num_nonnulls(
                    refund_tokens, refund_price, refund_reason, refund_failure_code, refund_failure_message
                ) = 0
                ELSE status IN ('paid', 'refunding', 'refunded') AND refund_reason IS NOT NULL
                    AND (refund_tokens > 0 AND refund_price > 0) IS TRUE
                    AND num_nulls(refund_failure_code, refund_failure_message) <> 1
                    AND (status <> 'refunding'
                        OR refund_failure_code IS NULL AND refunded_price + refund_price <= total_price) END
            ),
            CONSTRAINT ck_purchases_failure CHECK (
                num_nulls(failure_code, failure_message) = CASE status WHEN 'failed' THEN 0 ELSE 2 END
            )
        )
    """)
    op.execute("CREATE INDEX ix_transfers_order_id ON transfers (order_id) WHERE order_id IS NOT NULL")
    op.execute("CREATE INDEX ix_purchases_user_id ON purchases (user_id)")
    op.execute(
        "CREATE INDEX ix_purchases_check_at ON purchases (check_at, order_id) WHERE status IN ('pending', 'refunding')"
    )
    op.execute("""
        CREATE TRIGGER purchases_stay_paid BEFORE UPDATE ON purchases
        FOR EACH ROW WHEN (
            OLD.status IN ('paid', 'refunding', 'refunded') AND (
                (OLD.order_id, OLD.user_id, OLD.package_id, OLD.amount_tokens, OLD.total_price, OLD.price_per_token,
                    OLD.currency_code, OLD.created_at, OLD.expires_at, OLD.payment_key, OLD.ended_at)
                IS DISTINCT FROM
                (NEW.order_id, NEW.user_id, NEW.package_id, NEW.amount_tokens, NEW.total_price, NEW.price_per_token,
                    NEW.currency_code, NEW.created_at, NEW.expires_at, NEW.payment_key, NEW.ended_at)
                OR NEW.status NOT IN ('paid', 'refunding', 'refunded') OR NEW.refunded_price < OLD.refunded_price
                OR OLD.status = 'refunding' AND
                    (OLD.refund_hold_id, OLD.refund_tokens, OLD.refund_price, OLD.refund_reason) IS DISTINCT FROM
                    (NEW.refund_hold_id, NEW.refund_tokens, NEW.refund_price, NEW.refund_reason)
            )
        )
        EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER purchases_stay_credited BEFORE DELETE ON purchases
        FOR EACH ROW WHEN (OLD.status IN ('paid', 'refunding', 'refunded')) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE FUNCTION paid_is_credited() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.refunded_tokens <> (
                SELECT coalesce(sum(amount), 0) FROM transfers
                WHERE order_id = NEW.order_id AND (kind = 'charge_back' OR kind = 'refund' AND phase = 'post')
            ) THEN
                RAISE EXCEPTION 'purchase % is refunded and its tokens are not taken back', NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purchases_refunded_is_taken_back';
            END IF;
            IF NOT EXISTS (
                SELECT FROM transfers JOIN accounts ON accounts.id = credit_account_id
                WHERE reference = 'purchase:' || NEW.order_id AND hold_id IS NULL
                    AND transfers.kind = 'purchase' AND amount = NEW.amount_tokens
                    AND accounts.kind = 'wallet' AND owner_id = NEW.user_id
            ) THEN
                RAISE EXCEPTION 'purchase % was paid and is not credited', NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purchases_paid_is_credited';
            END IF;
            IF NEW.refund_hold_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM transfers hold
                JOIN accounts ON accounts.id = hold.debit_account_id AND accounts.kind = 'wallet'
                    AND accounts.owner_id = NEW.user_id
                LEFT JOIN transfers resolution ON resolution.hold_id = hold.id
                WHERE hold.id = NEW.refund_hold_id AND hold.phase = 'hold' AND hold.kind = 'refund'
                    AND hold.order_id = NEW.order_id AND hold.amount = NEW.refund_tokens
                    AND hold.total_price = NEW.refund_price
                    AND resolution.phase IS NOT DISTINCT FROM CASE WHEN NEW.status = 'refunding' THEN NULL
                        WHEN NEW.refund_failure_code IS NULL THEN 'post' ELSE 'void' END
            ) THEN
                RAISE EXCEPTION 'purchase % is %, and the hold of its refund is not', NEW.order_id, NEW.status
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purchases_refunding_is_held';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER purchases_paid_is_credited AFTER INSERT OR UPDATE ON purchases
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.status IN ('paid', 'refunding', 'refunded')) EXECUTE FUNCTION paid_is_credited()
    """)
    op.execute("""
        CREATE FUNCTION credited_is_paid() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind = 'charge_back' OR NEW.kind = 'refund' AND NEW.phase = 'post' THEN
                IF NOT EXISTS (
                    SELECT FROM purchases JOIN accounts ON accounts.kind = 'wallet' AND accounts.owner_id = user_id
                    WHERE order_id = NEW.order_id AND accounts.id = NEW.debit_account_id AND refunded_tokens = (
                        SELECT sum(amount) FROM transfers
                        WHERE order_id = NEW.order_id AND (kind = 'charge_back' OR kind = 'refund' AND phase = 'post')
                    )
                ) THEN
                    RAISE EXCEPTION 'transfer % takes back tokens that were not refunded', NEW.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_taken_back_is_refunded';
                END IF;
            ELSIF NOT EXISTS (
                SELECT FROM purchases WHERE order_id = NEW.order_id AND status IN ('paid', 'refunding', 'refunded')
            ) THEN
                RAISE EXCEPTION 'purchase % is credited and was not paid', NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_credited_is_paid';
            END IF;
            IF NEW.kind = 'refund' AND NOT EXISTS (
                SELECT FROM purchases
                WHERE order_id = NEW.order_id AND refund_hold_id = coalesce(NEW.hold_id, NEW.id) AND CASE NEW.phase
                    WHEN 'post' THEN status <> 'refunding' AND refund_failure_code IS NULL
                    WHEN 'void' THEN status <> 'refunding' AND refund_failure_code IS NOT NULL
                    ELSE status = 'refunding' END
            ) THEN
                RAISE EXCEPTION 'transfer % is of a refund that is not pending or has not ended like this', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_refund_as_ended';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER transfers_credited_is_paid AFTER INSERT ON transfers
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.order_id IS NOT NULL) EXECUTE FUNCTION credited_is_paid()
    """)
    for subject, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {subject} IS $comment${' '.join(comment.split())}$comment$")


def downgrade() -> None:
    op.execute("DROP TRIGGER transfers_credited_is_paid ON transfers")
    op.execute("DROP TABLE purchases")
    op.execute("DROP INDEX ix_transfers_order_id")
    op.execute("DROP FUNCTION credited_is_paid")
    op.execute("DROP FUNCTION paid_is_credited")
