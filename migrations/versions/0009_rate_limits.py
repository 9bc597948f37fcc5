"""How often who has called."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        CREATE UNLOGGED TABLE rate_limits (
            key text NOT NULL,
            slot bigint NOT NULL,
            calls bigint NOT NULL,
            previous bigint NOT NULL,
            CONSTRAINT pk_rate_limits PRIMARY KEY (key)
        ) WITH (fillfactor = 50)
    """)


def downgrade() -> None:
    op.execute("DROP TABLE rate_limits")
