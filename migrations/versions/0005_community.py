"""Who likes and follows what."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE likes (
            user_id bigint NOT NULL,
            generation_id bigint NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_likes PRIMARY KEY (user_id, generation_id),
            CONSTRAINT fk_likes_user_id FOREIGN KEY (user_id) REFERENCES users (id),
            CONSTRAINT fk_likes_generation_id FOREIGN KEY (generation_id) REFERENCES generations (id)
        )
    """)
    op.execute("CREATE INDEX ix_likes_generation_id ON likes (generation_id)")
    op.execute("""
        CREATE TABLE follows (
            follower_id bigint NOT NULL,
            followed_id bigint NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_follows PRIMARY KEY (follower_id, followed_id),
            CONSTRAINT ck_follows_not_oneself CHECK (follower_id <> followed_id),
            CONSTRAINT fk_follows_follower_id FOREIGN KEY (follower_id) REFERENCES users (id),
            CONSTRAINT fk_follows_followed_id FOREIGN KEY (followed_id) REFERENCES users (id)
        )
    """)
    op.execute("CREATE INDEX ix_follows_followed_id ON follows (followed_id)")


def downgrade() -> None:
    op.execute("DROP TABLE follows")
    op.execute("DROP TABLE likes")
