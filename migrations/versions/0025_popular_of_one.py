"""Of one person's images those with most likes come first by an index: without it all of them are sorted."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_generations_public_owner_popular ON generations (owner_id, like_count, created_at, id)"
        " WHERE public_key IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_generations_public_owner_popular")
