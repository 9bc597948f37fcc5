"""What a call was answered, for when it comes again."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE idempotency_keys (
            user_id bigint NOT NULL,
            key text NOT NULL,
            fingerprint bytea NOT NULL,
            status smallint,
            headers jsonb,
            body bytea,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, key),
            CONSTRAINT fk_idempotency_keys_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at)")


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_keys")
