"""Balances follow transfers by themselves, and in no other way."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE accounts DROP CONSTRAINT ck_accounts_held")
    op.execute("""
        ALTER TABLE accounts ADD CONSTRAINT ck_accounts_held
        CHECK (held >= 0 AND (kind IN ('wallet', 'earnings') OR held = 0))
    """)
    # Wallets are updated in place. What many pay into at once gets it appended, and appended it is taken from again,
    # unless it must not fall below zero: earnings are folded first, under the account's lock, to see all there is.
    # A fee takes of what the same transaction has just appended, so there is nothing to see to.
    op.execute("""
        CREATE FUNCTION move_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            moved constant bigint := CASE WHEN NEW.phase IN ('post', 'single') THEN NEW.amount ELSE 0 END;
            aside constant bigint :=
                CASE NEW.phase WHEN 'hold' THEN NEW.amount WHEN 'single' THEN 0 ELSE -NEW.amount END;
            in_place boolean := false;
        BEGIN
            IF NEW.kind <> 'fee' THEN
                UPDATE accounts SET balance = balance - moved, held = held + aside
                WHERE id = NEW.debit_account_id AND kind = 'wallet';
                in_place := FOUND;
                IF NOT in_place THEN
                    PERFORM FROM accounts WHERE id = NEW.debit_account_id AND kind = 'earnings' FOR NO KEY UPDATE;
                    in_place := FOUND;
                    IF in_place THEN
                        DELETE FROM balance_deltas WHERE account_id = NEW.debit_account_id;
                        UPDATE accounts SET balance = balance - moved, held = held + aside
                        WHERE id = NEW.debit_account_id;
                    END IF;
                END IF;
            END IF;
            IF moved = 0 THEN
                RETURN NULL;
            END IF;
            IF NOT in_place THEN
                INSERT INTO balance_deltas (account_id, transfer_id, amount)
                VALUES (NEW.debit_account_id, NEW.id, -moved);
            END IF;
            IF NEW.phase = 'single' THEN
                UPDATE accounts SET balance = balance + moved WHERE id = NEW.credit_account_id AND kind = 'wallet';
                IF FOUND THEN
                    RETURN NULL;
                END IF;
            END IF;
            INSERT INTO balance_deltas (account_id, transfer_id, amount) VALUES (NEW.credit_account_id, NEW.id, moved);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER transfers_move_tokens AFTER INSERT ON transfers
        FOR EACH ROW EXECUTE FUNCTION move_tokens()
    """)
    op.execute("""
        CREATE FUNCTION fold_deltas() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE accounts SET balance = balance + total
            FROM (SELECT account_id, sum(amount) AS total FROM gone GROUP BY account_id) folded
            WHERE accounts.id = account_id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER balance_deltas_fold AFTER DELETE ON balance_deltas REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION fold_deltas()
    """)
    op.execute("""
        CREATE FUNCTION refuse_by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% change by transfers only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER accounts_change_by_transfers BEFORE UPDATE ON accounts
        FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_by_hand()
    """)
    op.execute("""
        CREATE TRIGGER accounts_open_empty BEFORE INSERT ON accounts
        FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.held <> 0) EXECUTE FUNCTION refuse_by_hand()
    """)
    op.execute("""
        CREATE TRIGGER balance_deltas_change_by_transfers BEFORE INSERT OR UPDATE OR TRUNCATE ON balance_deltas
        FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_by_hand()
    """)
    # Only the trigger writes them: what they name is there.
    op.execute("ALTER TABLE balance_deltas DROP CONSTRAINT fk_balance_deltas_account_id")
    op.execute("ALTER TABLE balance_deltas DROP CONSTRAINT fk_balance_deltas_transfer_id")
    # It sees to what the foreign key saw to, and to more, at the same cost.
    op.execute("ALTER TABLE generations DROP CONSTRAINT fk_generations_hold_id")
    op.execute("""
        CREATE FUNCTION held_as_priced() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM transfers
                WHERE id = NEW.hold_id AND phase = 'hold' AND generation_id = NEW.id AND amount = NEW.consumed_tokens
            ) THEN
                RAISE EXCEPTION 'generation % has no hold of % tokens', NEW.id, NEW.consumed_tokens
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_held_as_priced';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER generations_held_as_priced AFTER INSERT OR UPDATE OF id, hold_id, consumed_tokens ON generations
        FOR EACH ROW EXECUTE FUNCTION held_as_priced()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER generations_held_as_priced ON generations")
    op.execute("DROP FUNCTION held_as_priced")
    op.execute("""
        ALTER TABLE generations ADD CONSTRAINT fk_generations_hold_id FOREIGN KEY (hold_id) REFERENCES transfers (id)
    """)
    op.execute("""
        ALTER TABLE balance_deltas ADD CONSTRAINT fk_balance_deltas_account_id
        FOREIGN KEY (account_id) REFERENCES accounts (id)
    """)
    op.execute("""
        ALTER TABLE balance_deltas ADD CONSTRAINT fk_balance_deltas_transfer_id
        FOREIGN KEY (transfer_id) REFERENCES transfers (id)
    """)
    op.execute("DROP TRIGGER balance_deltas_change_by_transfers ON balance_deltas")
    op.execute("DROP TRIGGER accounts_open_empty ON accounts")
    op.execute("DROP TRIGGER accounts_change_by_transfers ON accounts")
    op.execute("DROP FUNCTION refuse_by_hand")
    op.execute("DROP TRIGGER balance_deltas_fold ON balance_deltas")
    op.execute("DROP FUNCTION fold_deltas")
    op.execute("DROP TRIGGER transfers_move_tokens ON transfers")
    op.execute("DROP FUNCTION move_tokens")
    op.execute("ALTER TABLE accounts DROP CONSTRAINT ck_accounts_held")
    op.execute("""
        ALTER TABLE accounts ADD CONSTRAINT ck_accounts_held CHECK (held >= 0 AND (kind = 'wallet' OR held = 0))
    """)
