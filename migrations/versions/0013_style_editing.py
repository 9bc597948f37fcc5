"""A style has a thumbnail of its artist's choice, and whether it was ever used is found by an index."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE styles ADD COLUMN thumbnail_key text")
    op.execute("CREATE INDEX ix_generations_style_id_created_at ON generations (style_id, created_at)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_generations_style_id_created_at")
    op.execute("ALTER TABLE styles DROP COLUMN thumbnail_key")
