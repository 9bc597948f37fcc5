"""How far the search for objects in the store that nothing refers to has come."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE blob_walks (
            id bigint NOT NULL,
            begun_at timestamptz NOT NULL,
            after text NOT NULL,
            ended boolean NOT NULL,
            CONSTRAINT pk_blob_walks PRIMARY KEY (id),
            CONSTRAINT ck_blob_walks_one CHECK (id = 1)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE blob_walks")
