"""Tokens bought with money."""

from alembic import op

revision = "0003"
down_revision = "0002"

COMMENTS = {
    "TABLE purchases": "Orders of token packages at the payment provider.",
    "COLUMN purchases.user_id": "The buyer. No foreign key: the purchase outlives the user.",
    "COLUMN purchases.total_price": "In the currency's smallest unit, as sent to the payment provider.",
    "COLUMN purchases.expires_at": "No payment is captured after this.",
    "COLUMN purchases.check_at": "When the payment provider is asked next what has become of it, while it is pending.",
    "COLUMN purchases.payment_key": "The payment at the provider that has paid for it, or has failed.",
    "CONSTRAINT uq_purchases_payment_key ON purchases": "A payment buys once.",
    "CONSTRAINT ck_purchases_status ON purchases": "A status that the core knows.",
    "CONSTRAINT ck_purchases_terms ON purchases": "Nothing is bought for nothing.",
    "CONSTRAINT ck_purchases_ended ON purchases": "Pending or ended, never both.",
    "CONSTRAINT ck_purchases_payment ON purchases": "What was paid or has failed names its payment.",
    "CONSTRAINT ck_purchases_failure ON purchases": "What has failed says why, and nothing else does.",
    "CONSTRAINT ck_purchases_refunded ON purchases": """
        Only what was paid is refunded, in part or all of it; its tokens are rounded up.""",
    "COLUMN purchases.refunded_price": "How much of the money has gone back.",
    "COLUMN purchases.refunded_tokens": "How many of the tokens were taken back for it, or are owed.",
    "INDEX ix_transfers_order_id": "What a purchase was credited with, and what was taken back of it.",
    "INDEX ix_purchases_check_at": "Pending purchases that are to be checked at the payment provider.",
    "INDEX ix_purchases_user_id": "A user's purchases, when the account is deleted or exported.",
    "TRIGGER purchases_stay_paid ON purchases": """
        Money that was taken is credited once: of a paid purchase nothing changes but what has gone back of it.""",
    "TRIGGER purchases_stay_credited ON purchases": "Money that was taken is credited once: a paid purchase stays.",
    "FUNCTION paid_is_credited()": """
        Finds the transfer that credits a paid purchase to its buyer, and those that take refunded tokens back.""",
    "TRIGGER purchases_paid_is_credited ON purchases": """
        Paid and credited are one thing, at the commit: no paid purchase without its transfer, and no refunded one
        without those that take its tokens back (purchases_refunded_is_taken_back).""",
    "FUNCTION credited_is_paid()": "Finds the paid purchase that a transfer credits or takes back.",
    "TRIGGER transfers_credited_is_paid ON transfers": """
        Paid and credited are one thing, at the commit: no transfer of a purchase that is not paid, and none that takes
        back what was not refunded (transfers_taken_back_is_refunded).""",
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
            CONSTRAINT pk_purchases PRIMARY KEY (order_id),
            CONSTRAINT uq_purchases_payment_key UNIQUE (payment_key),
            CONSTRAINT ck_purchases_status CHECK (status IN ('pending', 'paid', 'failed', 'expired', 'refunded')),
            CONSTRAINT ck_purchases_terms CHECK (amount_tokens > 0 AND total_price > 0 AND price_per_token > 0),
            CONSTRAINT ck_purchases_ended CHECK ((status = 'pending') = (ended_at IS NULL)),
            CONSTRAINT ck_purchases_payment CHECK (
                (status IN ('paid', 'failed', 'refunded')) = (payment_key IS NOT NULL)
            ),
            CONSTRAINT ck_purchases_refunded CHECK (
                CASE refunded_price WHEN 0 THEN refunded_tokens = 0 AND status <> 'refunded'
                ELSE refunded_price BETWEEN 1 AND total_price
                    AND refunded_tokens = ceil(amount_tokens * refunded_price::numeric / total_price)
                    AND status = CASE refunded_price WHEN total_price THEN 'refunded' ELSE 'paid' END END
            ),
            CONSTRAINT ck_purchases_failure CHECK (
                num_nulls(failure_code, failure_message) = CASE status WHEN 'failed' THEN 0 ELSE 2 END
            )
        )
    """)
    op.execute("CREATE INDEX ix_transfers_order_id ON transfers (order_id) WHERE order_id IS NOT NULL")
    op.execute("CREATE INDEX ix_purchases_user_id ON purchases (user_id)")
    op.execute("CREATE INDEX ix_purchases_check_at ON purchases (check_at, order_id) WHERE status = 'pending'")
    op.execute("""
        CREATE TRIGGER purchases_stay_paid BEFORE UPDATE ON purchases
        FOR EACH ROW WHEN (
            OLD.status IN ('paid', 'refunded') AND (
                (OLD.order_id, OLD.user_id, OLD.package_id, OLD.amount_tokens, OLD.total_price, OLD.price_per_token,
                    OLD.currency_code, OLD.created_at, OLD.expires_at, OLD.check_at, OLD.payment_key, OLD.ended_at)
                IS DISTINCT FROM
                (NEW.order_id, NEW.user_id, NEW.package_id, NEW.amount_tokens, NEW.total_price, NEW.price_per_token,
                    NEW.currency_code, NEW.created_at, NEW.expires_at, NEW.check_at, NEW.payment_key, NEW.ended_at)
                OR NEW.status NOT IN ('paid', 'refunded') OR NEW.refunded_price < OLD.refunded_price
            )
        )
        EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER purchases_stay_credited BEFORE DELETE ON purchases
        FOR EACH ROW WHEN (OLD.status IN ('paid', 'refunded')) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE FUNCTION paid_is_credited() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.refunded_tokens <> (
                SELECT coalesce(sum(amount), 0) FROM transfers
                WHERE order_id = NEW.order_id AND kind = 'charge_back'
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
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER purchases_paid_is_credited AFTER INSERT OR UPDATE ON purchases
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.status IN ('paid', 'refunded')) EXECUTE FUNCTION paid_is_credited()
    """)
    op.execute("""
        CREATE FUNCTION credited_is_paid() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind = 'charge_back' THEN
                IF NOT EXISTS (
                    SELECT FROM purchases JOIN accounts ON accounts.kind = 'wallet' AND accounts.owner_id = user_id
                    WHERE order_id = NEW.order_id AND accounts.id = NEW.debit_account_id AND refunded_tokens = (
                        SELECT sum(amount) FROM transfers WHERE order_id = NEW.order_id AND kind = 'charge_back'
                    )
                ) THEN
                    RAISE EXCEPTION 'transfer % takes back tokens that were not refunded', NEW.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_taken_back_is_refunded';
                END IF;
            ELSIF NOT EXISTS (
                SELECT FROM purchases WHERE order_id = NEW.order_id AND status IN ('paid', 'refunded')
            ) THEN
                RAISE EXCEPTION 'purchase % is credited and was not paid', NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_credited_is_paid';
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
