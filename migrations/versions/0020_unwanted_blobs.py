"""What is to be removed from the store is kept in mind until it is gone."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("CREATE TABLE unwanted_blobs (place text NOT NULL, CONSTRAINT pk_unwanted_blobs PRIMARY KEY (place))")


def downgrade() -> None:
    op.execute("DROP TABLE unwanted_blobs")
