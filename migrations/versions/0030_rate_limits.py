"""Count calls that arrive at the same time together."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute("ALTER TABLE rate_limits ADD COLUMN granted bigint NOT NULL DEFAULT 0")


def downgrade() -> None:
    op.execute("ALTER TABLE rate_limits DROP COLUMN granted")
