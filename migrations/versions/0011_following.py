"""Whom somebody follows is listed by an index."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_follows_follower_id_created_at_followed_id ON follows (follower_id, created_at, followed_id)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_follows_follower_id_created_at_followed_id")
