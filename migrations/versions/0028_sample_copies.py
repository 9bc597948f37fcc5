"""Samples are copies without metadata; a training image without one is not shown to others."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute("ALTER TABLE artworks ADD COLUMN sample_key text")


def downgrade() -> None:
    op.execute("ALTER TABLE artworks DROP COLUMN sample_key")
