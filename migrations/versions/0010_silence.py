"""What shows no sign of life is found by an index."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("ALTER TABLE generations ADD COLUMN due_at timestamptz")
    op.execute("CREATE INDEX ix_generations_unended ON generations (created_at, id) WHERE ended_at IS NULL")
    op.execute("""
        CREATE INDEX ix_styles_in_training ON styles (updated_at, id)
        WHERE training_status IN ('pending', 'training')
    """)


def downgrade() -> None:
    op.execute("DROP INDEX ix_styles_in_training")
    op.execute("DROP INDEX ix_generations_unended")
    op.execute("ALTER TABLE generations DROP COLUMN due_at")
