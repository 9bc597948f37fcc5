"""Attempts that the AI servers repeat by themselves, retries of trainings, results of one generation each, and claims
of one queue."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("ALTER TABLE generations ADD COLUMN attempt_failed_at timestamptz")
    op.execute("""
        ALTER TABLE generations ADD CONSTRAINT ck_generations_attempt_failed_at
        CHECK (attempt_failed_at IS NULL OR status = 'retrying')
    """)
    op.execute("""
        CREATE INDEX ix_generations_attempt_failed ON generations (attempt_failed_at, id)
        WHERE attempt_failed_at IS NOT NULL
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_generations_result_key ON generations (result_key) WHERE result_key IS NOT NULL
    """)
    op.execute("ALTER TABLE styles ADD COLUMN retried_at timestamptz")
    op.execute("DROP INDEX ix_outbox_due_sequence")
    op.execute("CREATE INDEX ix_outbox_queue_due_sequence ON outbox (queue, due, sequence)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_outbox_queue_due_sequence")
    op.execute("CREATE INDEX ix_outbox_due_sequence ON outbox (due, sequence)")
    op.execute("ALTER TABLE styles DROP COLUMN retried_at")
    op.execute("DROP INDEX uq_generations_result_key")
    op.execute("ALTER TABLE generations DROP COLUMN attempt_failed_at")
