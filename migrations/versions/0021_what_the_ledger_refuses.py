"""Refuse by the database itself what only looking at the books has found so far."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    # With the uniqueness of references: one hold for an image, one fee of it, one credit for a purchase.
    op.execute("""
        ALTER TABLE transfers
        ADD CONSTRAINT ck_transfers_phase_of_kind CHECK (
            (kind IN ('generation', 'withdrawal')) = (phase <> 'single')
        ),
        ADD CONSTRAINT ck_transfers_generation CHECK (
            (kind IN ('generation', 'fee')) = (generation_id IS NOT NULL)
        ),
        ADD CONSTRAINT ck_transfers_reference CHECK (
            reference = CASE kind
                WHEN 'generation' THEN 'generation:' || generation_id
                WHEN 'fee' THEN 'fee:generation:' || generation_id
                WHEN 'purchase' THEN 'purchase:' || order_id
                ELSE reference
            END
        )
    """)
    op.execute("""
        CREATE FUNCTION go_as_named() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM accounts debit, accounts credit
                WHERE debit.id = NEW.debit_account_id AND credit.id = NEW.credit_account_id
                    AND (NEW.kind, debit.kind, credit.kind) IN (
                        ('bonus', 'issuance', 'wallet'),
                        ('purchase', 'issuance', 'wallet'),
                        ('refund', 'issuance', 'wallet'),
                        ('generation', 'wallet', 'earnings'),
                        ('withdrawal', 'earnings', 'issuance'),
                        ('fee', 'earnings', 'fees')
                    )
            ) THEN
                RAISE EXCEPTION 'transfer % is no way for a %', NEW.id, NEW.kind
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_go_as_named';
            END IF;
            RETURN NEW;
        END $$
    """)
    # A resolution repeats its hold, so the hold's way is enough.
    op.execute("""
        CREATE TRIGGER transfers_go_as_named BEFORE INSERT ON transfers
        FOR EACH ROW WHEN (NEW.hold_id IS NULL) EXECUTE FUNCTION go_as_named()
    """)
    _resolve_as_held(" AND hold.kind = NEW.kind AND hold.generation_id IS NOT DISTINCT FROM NEW.generation_id")
    op.execute("""
        CREATE FUNCTION resolve_as_ended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM generations WHERE hold_id = NEW.hold_id
                    AND NEW.phase <> CASE status
                        WHEN 'completed' THEN 'post' WHEN 'failed' THEN 'void' WHEN 'cancelled' THEN 'void' ELSE '' END
                UNION ALL
                SELECT FROM withdrawals WHERE hold_id = NEW.hold_id
                    AND NEW.phase <> CASE status WHEN 'settled' THEN 'post' WHEN 'rejected' THEN 'void' ELSE '' END
            ) THEN
                RAISE EXCEPTION 'transfer % resolves what has not ended so', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_resolve_as_ended';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER transfers_resolve_as_ended AFTER INSERT ON transfers
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.hold_id IS NOT NULL) EXECUTE FUNCTION resolve_as_ended()
    """)
    op.execute("""
        CREATE FUNCTION refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'generation % has ended as %', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_stay_ended';
        END $$
    """)
    # At the commit, so that who has lost a race is told first that the hold has been resolved.
    op.execute("""
        CREATE CONSTRAINT TRIGGER generations_stay_ended AFTER UPDATE OF status, fee_tokens ON generations
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (
            OLD.ended_at IS NOT NULL AND (OLD.status, OLD.fee_tokens) IS DISTINCT FROM (NEW.status, NEW.fee_tokens)
        )
        EXECUTE FUNCTION refuse_reopening()
    """)
    op.execute("DROP TRIGGER generations_held_as_priced ON generations")
    op.execute("""
        CREATE OR REPLACE FUNCTION held_as_priced() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM transfers
                JOIN accounts payer ON payer.id = debit_account_id
                JOIN accounts payee ON payee.id = credit_account_id
                WHERE transfers.id = NEW.hold_id AND phase = 'hold' AND generation_id = NEW.id
                    AND amount = NEW.consumed_tokens
                    AND payer.owner_id = NEW.owner_id AND payee.owner_id = NEW.artist_id
            ) THEN
                RAISE EXCEPTION 'generation % has no hold of % tokens', NEW.id, NEW.consumed_tokens
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_held_as_priced';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER generations_held_as_priced
        AFTER INSERT OR UPDATE OF id, owner_id, artist_id, hold_id, consumed_tokens ON generations
        FOR EACH ROW EXECUTE FUNCTION held_as_priced()
    """)
    op.execute("""
        CREATE TRIGGER generations_wait_for_their_tokens BEFORE DELETE ON generations
        FOR EACH ROW WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER purchases_stay_credited BEFORE DELETE ON purchases
        FOR EACH ROW WHEN (OLD.status = 'paid') EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER withdrawals_append_only BEFORE DELETE OR TRUNCATE ON withdrawals
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER withdrawals_append_only ON withdrawals")
    op.execute("DROP TRIGGER purchases_stay_credited ON purchases")
    op.execute("DROP TRIGGER generations_wait_for_their_tokens ON generations")
    op.execute("DROP TRIGGER generations_held_as_priced ON generations")
    op.execute("""
        CREATE OR REPLACE FUNCTION held_as_priced() RETURNS trigger LANGUAGE plpgsql AS $$
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
    op.execute("DROP TRIGGER generations_stay_ended ON generations")
    op.execute("DROP FUNCTION refuse_reopening")
    op.execute("DROP TRIGGER transfers_resolve_as_ended ON transfers")
    op.execute("DROP FUNCTION resolve_as_ended")
    _resolve_as_held("")
    op.execute("DROP TRIGGER transfers_go_as_named ON transfers")
    op.execute("DROP FUNCTION go_as_named")
    op.execute("""
        ALTER TABLE transfers DROP CONSTRAINT ck_transfers_reference, DROP CONSTRAINT ck_transfers_generation,
        DROP CONSTRAINT ck_transfers_phase_of_kind
    """)


def _resolve_as_held(what_else: str) -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION resolve_as_held() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM transfers hold
                WHERE hold.id = NEW.hold_id AND hold.phase = 'hold' AND hold.reference = NEW.reference
                    AND hold.amount = NEW.amount AND hold.debit_account_id = NEW.debit_account_id
                    AND hold.credit_account_id = NEW.credit_account_id{what_else}
            ) THEN
                RAISE EXCEPTION 'transfer % differs from hold %', NEW.id, NEW.hold_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_resolve_as_held';
            END IF;
            RETURN NEW;
        END $$
        """.replace("{what_else}", what_else)
    )
