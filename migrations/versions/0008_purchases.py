"""Tokens bought with money."""

from alembic import op

revision = "0008"
down_revision = "0007"


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
            CONSTRAINT pk_purchases PRIMARY KEY (order_id),
            CONSTRAINT uq_purchases_payment_key UNIQUE (payment_key),
            CONSTRAINT ck_purchases_status CHECK (status IN ('pending', 'paid', 'failed', 'expired')),
            CONSTRAINT ck_purchases_terms CHECK (amount_tokens > 0 AND total_price > 0 AND price_per_token > 0),
            CONSTRAINT ck_purchases_ended CHECK ((status = 'pending') = (ended_at IS NULL)),
            CONSTRAINT ck_purchases_payment CHECK ((status IN ('paid', 'failed')) = (payment_key IS NOT NULL)),
            CONSTRAINT ck_purchases_failure CHECK (
                num_nulls(failure_code, failure_message) = CASE status WHEN 'failed' THEN 0 ELSE 2 END
            ),
            CONSTRAINT fk_purchases_user_id FOREIGN KEY (user_id) REFERENCES users (id)
        )
    """)
    op.execute("CREATE INDEX ix_purchases_user_id ON purchases (user_id)")
    op.execute("CREATE INDEX ix_purchases_check_at ON purchases (check_at, order_id) WHERE status = 'pending'")
    op.execute("ALTER TABLE transfers ADD COLUMN order_id text")
    op.execute("ALTER TABLE transfers DROP CONSTRAINT ck_transfers_price")
    op.execute("""
        ALTER TABLE transfers ADD CONSTRAINT ck_transfers_price CHECK (
            num_nulls(order_id, price_per_token, total_price, currency_code)
            = CASE kind WHEN 'purchase' THEN 0 ELSE 4 END
        )
    """)
    op.execute("""
        CREATE TRIGGER purchases_stay_paid BEFORE UPDATE ON purchases
        FOR EACH ROW WHEN (OLD.status = 'paid' AND OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE FUNCTION paid_is_credited() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
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
        FOR EACH ROW WHEN (NEW.status = 'paid') EXECUTE FUNCTION paid_is_credited()
    """)
    op.execute("""
        CREATE FUNCTION credited_is_paid() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM purchases WHERE order_id = NEW.order_id AND status = 'paid') THEN
                RAISE EXCEPTION 'purchase % is credited and was not paid', NEW.order_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_credited_is_paid';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER transfers_credited_is_paid AFTER INSERT ON transfers
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.kind = 'purchase') EXECUTE FUNCTION credited_is_paid()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER transfers_credited_is_paid ON transfers")
    op.execute("DROP FUNCTION credited_is_paid")
    op.execute("ALTER TABLE transfers DROP CONSTRAINT ck_transfers_price")
    op.execute("ALTER TABLE transfers DROP COLUMN order_id")
    op.execute("""
        ALTER TABLE transfers ADD CONSTRAINT ck_transfers_price CHECK (
            num_nulls(price_per_token, total_price, currency_code) IN (0, 3)
            AND (kind = 'purchase' OR price_per_token IS NULL)
        )
    """)
    op.execute("DROP TABLE purchases")
    op.execute("DROP FUNCTION paid_is_credited")
