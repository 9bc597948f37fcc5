"""Refuse that accounts go, instead of looking for them, and locking them, at every transfer once more."""

from alembic import op

revision = "0026"
down_revision = "0025"

SIDES = ("debit", "credit")


def upgrade() -> None:
    op.execute("""
        CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)
    # The trigger transfers_go_as_named finds both accounts, and a resolution repeats its hold.
    for side in SIDES:
        op.execute(f"ALTER TABLE transfers DROP CONSTRAINT fk_transfers_{side}_account_id")


def downgrade() -> None:
    for side in SIDES:
        op.execute(f"""
            ALTER TABLE transfers ADD CONSTRAINT fk_transfers_{side}_account_id
            FOREIGN KEY ({side}_account_id) REFERENCES accounts (id)
        """)
    op.execute("DROP TRIGGER accounts_stay ON accounts")
