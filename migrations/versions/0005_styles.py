"""Styles, their versions, the artworks these are trained on, and how often styles are used."""

from alembic import op

revision = "0005"
down_revision = "0004"

COMMENTS = {
    "COLUMN styles.closed_by_admin": "The artist cannot open it.",
    "CONSTRAINT ck_styles_closed_by_admin ON styles": "A style that an admin has closed is not active.",
    "TABLE styles": "What an artist offers: a model that is trained on artworks, at a price for each generation.",
    "COLUMN styles.version": "The number of the version in use.",
    "COLUMN styles.version_id": "The version in use, of which the columns beside this one are copies.",
    "COLUMN styles.model_path": "The model of the version in use; null until the first version is trained.",
    "CONSTRAINT fk_styles_version_id_id ON styles": """
        The version in use is one of the style's. Checked at the commit: each of the two first rows needs the other.""",
    "COLUMN styles.generation_cost_tokens": "The price of a generation that is requested from now on.",
    "COLUMN styles.is_active": "Whether users may request generations.",
    "COLUMN styles.thumbnail_key": "An image that the artist has chosen, in the blob store.",
    "COLUMN styles.usage_count": "Generations completed with it, as far as `style_uses` is rolled up.",
    "COLUMN styles.earned_tokens": "Tokens that these have earned, fees deducted.",
    "COLUMN styles.artist_followers": "The artist's `follower_count`, so that an index can order by it.",
    "COLUMN styles.takedown_at": "When it was withdrawn.",
    "COLUMN styles.takedown_keeps_images": "Whether published images stay public.",
    "COLUMN styles.takedown_pending": "Whether there may be generations to cancel, or images to hide.",
    "COLUMN styles.name_key": "The name as it is compared: normalized, case-folded, without invisible characters.",
    "CONSTRAINT uq_styles_artist_id_name_key ON styles": "A style's name is unique for its artist.",
    "CONSTRAINT uq_styles_id_artist_id ON styles": "What fk_generations_style_id_artist_id refers to.",
    "CONSTRAINT ck_styles_license_type ON styles": "A license of the core's enum.",
    "CONSTRAINT ck_styles_generation_cost_tokens ON styles": "A generation costs at least one token.",
    "CONSTRAINT ck_styles_takedown ON styles": "All fields of a takedown are set, or none.",
    "CONSTRAINT ck_styles_withdrawn ON styles": "A withdrawn style is closed.",
    "CONSTRAINT ck_styles_counts ON styles": "Counts are not negative.",
    "INDEX ix_styles_artist_id_created_at_id": "An artist's styles, by time.",
    "INDEX ix_styles_popular": "Styles that can be used, those of the most followed artists first.",
    "INDEX ix_styles_recent": "Styles that can be used, by time.",
    "INDEX ix_styles_tags": "Styles that can be used, by tag.",
    "INDEX ix_styles_expiring": "Styles that are to be closed when their validity ends.",
    "INDEX ix_styles_takedown_pending": "Takedowns that a maintenance pass has to carry out.",
    "TABLE style_versions": "Trainings of a style and their models; the style uses one of them.",
    "COLUMN style_versions.id": """
        What the AI servers call the style's id. From the sequence of the styles; the first version has its style's.""",
    "COLUMN style_versions.number": "Counts from 1 within the style.",
    "COLUMN style_versions.task_id": "The training task; a webhook for another task is out of date.",
    "COLUMN style_versions.rights_version": "The version of the terms by which the artist affirmed the rights.",
    "COLUMN style_versions.rights_explicit": "Whether the request said so; left out, it means the same.",
    "COLUMN style_versions.progress_at": "When the training's last progress was reported.",
    "COLUMN style_versions.retried_at": "When the owner last retried a failed training.",
    "COLUMN style_versions.failure_details": "The file that was refused, if it was one.",
    "COLUMN style_versions.review": """
        Of artworks that resemble another artist's: the training waits for an admin, or did.""",
    "CONSTRAINT uq_style_versions_style_id_number ON style_versions": "A style's versions are numbered.",
    "CONSTRAINT uq_style_versions_id_style_id ON style_versions": "What fk_styles_version_id_id refers to.",
    "CONSTRAINT ck_style_versions_number ON style_versions": "The first version, and no other, has its style's id.",
    "CONSTRAINT ck_style_versions_training_status ON style_versions": "A status of the core's enum.",
    "CONSTRAINT ck_style_versions_model ON style_versions": "A completed training, and no other, has a model.",
    "CONSTRAINT ck_style_versions_failure ON style_versions": "A failure has a code and a message.",
    "CONSTRAINT ck_style_versions_progress ON style_versions": "All fields of progress are set, or none.",
    "CONSTRAINT ck_style_versions_review ON style_versions": "A review that the core knows.",
    "INDEX ix_style_versions_in_training": "Trainings that may have stalled.",
    "INDEX uq_style_versions_in_training": "Of a style one version at a time is in training.",
    "TABLE artworks": "A version's training images.",
    "COLUMN artworks.key": "Its key in the blob store.",
    "COLUMN artworks.sample_key": "The key of the copy that others can see, of those that are samples.",
    "COLUMN artworks.digest": "SHA-256 of the image.",
    "CONSTRAINT uq_artworks_version_id_index ON artworks": "A version's artworks have an order.",
    "CONSTRAINT ck_artworks_format ON artworks": "A format that AI servers take.",
    "CONSTRAINT ck_artworks_size ON artworks": "An artwork has pixels and bytes.",
    "COLUMN artworks.perceptual_hash": "64 bits, few of which differ between an image and a copy of it.",
    "COLUMN artworks.hash_bands": "Its four bands, made by hash_bands; NULL without a hash.",
    "INDEX ix_artworks_hash_bands": "Artworks that resemble others.",
    "FUNCTION hash_bands(bigint)": "A hash in four bands of 16 bits, each with its number above them.",
    "FUNCTION near_bands(bigint)": "The bands of a hash, and those that differ from one of them by one bit.",
    "TABLE style_uses": """
        Generations completed with a style that are not rolled up yet. Appended, so that no completion waits for the row
        of a popular style.""",
    "COLUMN style_uses.generation_id": "No foreign key: each deletion would search it without an index.",
    "COLUMN style_uses.tokens": "What it has earned, the fee deducted.",
    "FUNCTION copy_follower_count()": "Copies a user's `follower_count` to their styles.",
    "TRIGGER users_follower_count ON users": "Keeps `styles.artist_followers` equal to the artist's `follower_count`.",
}


def upgrade() -> None:
    _styles()
    _versions()
    _artworks()
    _uses()
    for subject, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {subject} IS $comment${' '.join(comment.split())}$comment$")


def _styles() -> None:
    op.execute("""
        CREATE TABLE styles (
            id bigint GENERATED BY DEFAULT AS IDENTITY,
            artist_id bigint NOT NULL,
            name text NOT NULL,
            name_key text NOT NULL,
            description text NOT NULL,
            generation_cost_tokens bigint NOT NULL,
            license_type text NOT NULL,
            tags text[] NOT NULL,
            version smallint NOT NULL,
            version_id bigint NOT NULL,
            model_path text,
            is_active boolean NOT NULL,
            show_samples boolean NOT NULL,
            valid_from timestamptz,
            valid_to timestamptz,
            closed_by_admin boolean DEFAULT false NOT NULL,
            thumbnail_key text,
            takedown_at timestamptz,
            takedown_reason text,
            takedown_by_admin boolean,
            takedown_keeps_images boolean,
            takedown_pending boolean,
            usage_count bigint DEFAULT 0 NOT NULL,
            earned_tokens bigint DEFAULT 0 NOT NULL,
            artist_followers bigint DEFAULT 0 NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_styles PRIMARY KEY (id),
            CONSTRAINT uq_styles_artist_id_name_key UNIQUE (artist_id, name_key),
            CONSTRAINT uq_styles_id_artist_id UNIQUE (id, artist_id),
            CONSTRAINT ck_styles_license_type CHECK (license_type IN ('personal', 'commercial', 'exclusive')),
            CONSTRAINT ck_styles_generation_cost_tokens CHECK (generation_cost_tokens > 0),
            CONSTRAINT ck_styles_closed_by_admin CHECK (NOT closed_by_admin OR NOT is_active),
            CONSTRAINT ck_styles_takedown CHECK (
                num_nulls(takedown_at, takedown_reason, takedown_by_admin, takedown_keeps_images, takedown_pending)
                IN (0, 5)
            ),
            CONSTRAINT ck_styles_withdrawn CHECK (takedown_at IS NULL OR NOT is_active),
            CONSTRAINT ck_styles_counts CHECK (usage_count >= 0 AND earned_tokens >= 0),
            CONSTRAINT fk_styles_artist_id FOREIGN KEY (artist_id) REFERENCES artists (user_id)
        )
    """)
    op.execute("CREATE INDEX ix_styles_artist_id_created_at_id ON styles (artist_id, created_at, id)")
    op.execute(
        "CREATE INDEX ix_styles_popular ON styles (artist_followers, created_at, id)"
        " WHERE model_path IS NOT NULL AND is_active"
    )
    op.execute("CREATE INDEX ix_styles_recent ON styles (created_at, id) WHERE model_path IS NOT NULL AND is_active")
    op.execute("CREATE INDEX ix_styles_tags ON styles USING gin (tags) WHERE model_path IS NOT NULL AND is_active")
    op.execute("CREATE INDEX ix_styles_takedown_pending ON styles (id) WHERE takedown_pending")
    op.execute("CREATE INDEX ix_styles_expiring ON styles (valid_to, id) WHERE is_active AND valid_to IS NOT NULL")


def _versions() -> None:
    op.execute("""
        CREATE TABLE style_versions (
            id bigint NOT NULL,
            style_id bigint NOT NULL,
            number smallint NOT NULL,
            task_id uuid NOT NULL,
            rights_version smallint NOT NULL,
            rights_explicit boolean NOT NULL,
            rights_affirmed_at timestamptz NOT NULL,
            training_status text NOT NULL,
            model_path text,
            training_metric jsonb,
            current_epoch bigint,
            total_epochs bigint,
            progress_percent double precision,
            estimated_seconds bigint,
            progress_at timestamptz,
            retried_at timestamptz,
            failure_code text,
            failure_message text,
            failure_details jsonb,
            review text,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            completed_at timestamptz,
            CONSTRAINT pk_style_versions PRIMARY KEY (id),
            CONSTRAINT uq_style_versions_style_id_number UNIQUE (style_id, number),
            CONSTRAINT uq_style_versions_id_style_id UNIQUE (id, style_id),
            CONSTRAINT ck_style_versions_number CHECK (number > 0 AND (number = 1) = (id = style_id)),
            CONSTRAINT ck_style_versions_training_status CHECK (
                training_status IN ('pending', 'training', 'completed', 'failed')
            ),
            CONSTRAINT ck_style_versions_model CHECK (
                num_nonnulls(model_path, completed_at) = CASE training_status WHEN 'completed' THEN 2 ELSE 0 END
            ),
            CONSTRAINT ck_style_versions_failure CHECK ((failure_code IS NULL) = (failure_message IS NULL)),
            CONSTRAINT ck_style_versions_progress CHECK (
                num_nulls(current_epoch, total_epochs, progress_percent, progress_at) IN (0, 4)
            ),
            CONSTRAINT ck_style_versions_review CHECK (review IN ('pending', 'approved', 'rejected')),
            CONSTRAINT fk_style_versions_style_id FOREIGN KEY (style_id) REFERENCES styles (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        ALTER TABLE styles ADD CONSTRAINT fk_styles_version_id_id
            FOREIGN KEY (version_id, id) REFERENCES style_versions (id, style_id) DEFERRABLE INITIALLY DEFERRED
    """)
    op.execute("""
        CREATE INDEX ix_style_versions_in_training ON style_versions (updated_at, id)
        WHERE training_status IN ('pending', 'training')
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_style_versions_in_training ON style_versions (style_id)
        WHERE training_status IN ('pending', 'training')
    """)


def _artworks() -> None:
    op.execute("""
        CREATE TABLE artworks (
            id bigint GENERATED BY DEFAULT AS IDENTITY,
            version_id bigint NOT NULL,
            index bigint NOT NULL,
            key text NOT NULL,
            format text NOT NULL,
            width bigint NOT NULL,
            height bigint NOT NULL,
            size bigint NOT NULL,
            digest bytea NOT NULL,
            caption text,
            tags text[] NOT NULL,
            sample_key text,
            perceptual_hash bigint,
            hash_bands integer[],
            CONSTRAINT pk_artworks PRIMARY KEY (id),
            CONSTRAINT uq_artworks_version_id_index UNIQUE (version_id, index),
            CONSTRAINT ck_artworks_format CHECK (format IN ('jpeg', 'png')),
            CONSTRAINT ck_artworks_size CHECK (width > 0 AND height > 0 AND size > 0),
            CONSTRAINT fk_artworks_version_id FOREIGN KEY (version_id) REFERENCES style_versions (id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX ix_artworks_hash_bands ON artworks USING gin (hash_bands) WITH (fastupdate = off)")
    op.execute("""
        CREATE FUNCTION hash_bands(hash bigint) RETURNS integer[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
            SELECT array_agg((band << 16) + ((hash >> (16 * band)) & 65535)::integer) FROM generate_series(0, 3) band
        $$
    """)
    op.execute("""
        CREATE FUNCTION near_bands(hash bigint) RETURNS integer[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
            SELECT hash_bands(hash) || array_agg(band # (1 << place))
            FROM unnest(hash_bands(hash)) band, generate_series(0, 15) place
        $$
    """)


def _uses() -> None:
    op.execute("""
        CREATE TABLE style_uses (
            style_id bigint NOT NULL,
            generation_id bigint NOT NULL,
            tokens bigint NOT NULL,
            CONSTRAINT pk_style_uses PRIMARY KEY (style_id, generation_id),
            CONSTRAINT fk_style_uses_style_id FOREIGN KEY (style_id) REFERENCES styles (id)
        )
    """)
    op.execute("""
        CREATE FUNCTION copy_follower_count() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE styles SET artist_followers = NEW.follower_count WHERE artist_id = NEW.id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER users_follower_count AFTER UPDATE OF follower_count ON users
        FOR EACH ROW WHEN (NEW.role <> 'user') EXECUTE FUNCTION copy_follower_count()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER users_follower_count ON users")
    op.execute("DROP FUNCTION copy_follower_count")
    op.execute("DROP TABLE style_uses")
    op.execute("DROP TABLE artworks")
    op.execute("DROP FUNCTION near_bands")
    op.execute("DROP FUNCTION hash_bands")
    op.execute("ALTER TABLE styles DROP CONSTRAINT fk_styles_version_id_id")
    op.execute("DROP TABLE style_versions")
    op.execute("DROP TABLE styles")
