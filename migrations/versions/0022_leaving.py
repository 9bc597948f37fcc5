"""People leave: the user is erased, and what tokens and money tell of them is kept under a number that is nobody's."""

from alembic import op

revision = "0022"
down_revision = "0021"

OUTLIVING = {
    "fk_accounts_owner_id": "accounts FOREIGN KEY (owner_id) REFERENCES users (id)",
    "fk_purchases_user_id": "purchases FOREIGN KEY (user_id) REFERENCES users (id)",
    "fk_withdrawals_artist_id": "withdrawals FOREIGN KEY (artist_id) REFERENCES artists (user_id)",
    "fk_withdrawals_ended_by": "withdrawals FOREIGN KEY (ended_by) REFERENCES users (id)",
    # Looked at for each image that is erased, and no index would find it. Only what saves an image writes them.
    "fk_style_uses_generation_id": "style_uses FOREIGN KEY (generation_id) REFERENCES generations (id)",
}


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN standing text DEFAULT 'present' NOT NULL")
    op.execute(
        "ALTER TABLE users ADD CONSTRAINT ck_users_standing CHECK (standing IN ('present', 'leaving', 'deactivated'))"
    )
    op.execute("CREATE INDEX ix_users_leaving ON users (updated_at, id) WHERE standing = 'leaving'")
    op.execute("""
        CREATE TABLE erased_identities (
            identity bytea NOT NULL,
            CONSTRAINT pk_erased_identities PRIMARY KEY (identity)
        )
    """)
    op.execute("CREATE INDEX ix_notifications_actor_id ON notifications (actor_id) WHERE actor_id IS NOT NULL")
    for name, definition in OUTLIVING.items():
        op.execute(f"ALTER TABLE {definition.partition(' ')[0]} DROP CONSTRAINT {name}")


def downgrade() -> None:
    """What refers to somebody erased does not get its foreign key checked."""
    for name, definition in OUTLIVING.items():
        table, _, key = definition.partition(" ")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key} NOT VALID")
        op.execute(f"""
            DO $$ BEGIN
                ALTER TABLE {table} VALIDATE CONSTRAINT {name};
            EXCEPTION WHEN foreign_key_violation THEN NULL;
            END $$
        """)
    op.execute("DROP INDEX ix_notifications_actor_id")
    op.execute("DROP TABLE erased_identities")
    op.execute("DROP INDEX ix_users_leaving")
    op.execute("ALTER TABLE users DROP COLUMN standing")
