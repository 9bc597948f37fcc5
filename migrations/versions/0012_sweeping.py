"""What has had its time is found by indexes."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE rate_limits ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '1 hour'")
    op.execute("CREATE INDEX ix_rate_limits_expires_at ON rate_limits (expires_at)")
    op.execute("CREATE INDEX ix_notifications_read ON notifications (read_at, id) WHERE read_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_notifications_read")
    op.execute("ALTER TABLE rate_limits DROP COLUMN expires_at")
