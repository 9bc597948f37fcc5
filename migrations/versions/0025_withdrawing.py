"""A task is in the outbox once, and found by its id when it is withdrawn."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ADD CONSTRAINT uq_outbox_task_id UNIQUE (task_id)")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox DROP CONSTRAINT uq_outbox_task_id")
