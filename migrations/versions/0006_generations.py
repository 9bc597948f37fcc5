"""Generations: requested images, from the request to the end."""

from alembic import op

revision = "0006"
down_revision = "0005"

COMMENTS = {
    "COLUMN generations.hidden": "By an admin: it is private and cannot be published.",
    "CONSTRAINT ck_generations_hidden ON generations": "A generation that an admin has hidden is not public.",
    "TABLE generations": "Requested images. The status determines the outcome of the hold.",
    "COLUMN generations.artist_id": "The style's artist, whose earnings the hold is for.",
    "COLUMN generations.consumed_tokens": "The price at the request.",
    "COLUMN generations.license_type": "The style's licence at the request.",
    "COLUMN generations.license_version": "The version of the terms that say what it permits.",
    "COLUMN generations.style_version": """
        The number of the style's version at the request, whose model makes the image. No foreign key: a version is only
        deleted with its style.""",
    "COLUMN generations.hold_id": """
        The transfer that holds the price. No foreign key: generations_held_as_priced finds it.""",
    "COLUMN generations.task_id": "The task of the present attempt; a webhook for another task is out of date.",
    "COLUMN generations.progress_at": "When the AI server's last progress was reported.",
    "COLUMN generations.result_key": "The image in the blob store.",
    "COLUMN generations.public_key": "The published copy of the image; null while it is private.",
    "COLUMN generations.fee_tokens": "The platform's share of the price, known on completion.",
    "COLUMN generations.attempt_failed_at": """
        When the AI server last reported a failed attempt that it retries itself.""",
    "COLUMN generations.due_at": "When the present attempt may begin, if not at once.",
    "CONSTRAINT ck_generations_status ON generations": "A status of the core's enum.",
    "CONSTRAINT ck_generations_aspect_ratio ON generations": "A ratio that AI servers take.",
    "CONSTRAINT ck_generations_license_type ON generations": "A license of the core's enum.",
    "CONSTRAINT ck_generations_result ON generations": "A completed generation has an image.",
    "CONSTRAINT ck_generations_public ON generations": "Only completed generations are published.",
    "CONSTRAINT ck_generations_ended ON generations": "`ended_at` is when it was completed, failed or cancelled.",
    "CONSTRAINT ck_generations_failure ON generations": "A failure has a code and a message.",
    "CONSTRAINT ck_generations_progress ON generations": "All fields of progress are set, or none.",
    "CONSTRAINT ck_generations_attempt_failed_at ON generations": "Only a retrying generation has a failed attempt.",
    "CONSTRAINT ck_generations_fee_tokens ON generations": """
        Only completed generations have a fee, at most their price.""",
    "CONSTRAINT ck_generations_counts ON generations": "Counts are not negative.",
    "INDEX ix_generations_attempt_failed": "Generations whose AI server has to resume them.",
    "INDEX uq_generations_result_key": "A stored image is the result of one generation.",
    "INDEX ix_generations_completed": "The latest completed ones, for an estimate of the waiting time.",
    "INDEX ix_generations_owner_id_created_at_id": "An owner's generations, by time.",
    "INDEX ix_generations_public": "The feed, by time.",
    "INDEX ix_generations_public_owner": "One owner's published ones, by time.",
    "INDEX ix_generations_public_owner_popular": "One owner's published ones, those with most likes first.",
    "INDEX ix_generations_public_popular": "The feed, those with most likes first.",
    "INDEX ix_generations_public_style": "Published ones of a style, by time.",
    "INDEX ix_generations_public_tags": "Published ones, by tag.",
    "INDEX ix_generations_queued": "The queue, for a place in it.",
    "INDEX ix_generations_style_id_created_at": "A style's generations, by time.",
    "INDEX ix_generations_unended": "Generations that may have stalled.",
    "FUNCTION held_as_priced()": "Compares the generations of a statement with their holds and styles.",
    "TRIGGER generations_held_as_priced ON generations": """
        A generation has a hold of its price, from its owner to its artist. The hold names the generation, so a hold is
        for one. Its style is not withdrawn (generations_of_offered_style): the foreign key has locked the style before,
        so a withdrawal either is seen here or sees the generation.""",
    "FUNCTION refuse_by_rule()": "Refuses a change of a row by the rule that the trigger names.",
    "TRIGGER generations_stay_as_held ON generations": """
        A generation has a hold of its price, from its owner to its artist: none of these changes
        (generations_held_as_priced).""",
    "TRIGGER generations_stay_ended ON generations": """
        An ended generation stays ended. Checked at the commit, so that the loser of a race gets the refusal of the hold
        first.""",
    "TRIGGER generations_wait_for_their_tokens ON generations": """
        A generation is not removed while its tokens are held.""",
    "FUNCTION settle_as_ended()": "Compares an ended generation with the outcome of its hold.",
    "TRIGGER generations_settle_as_ended ON generations": """
        A completed generation is posted, a failed or cancelled one is voided; the fee that it names is charged
        (generations_completed_as_charged). At the commit.""",
    "FUNCTION resolve_as_ended()": "Compares a resolved hold, or a fee, with the generation that it is for.",
    "TRIGGER transfers_resolve_as_ended ON transfers": """
        A hold is posted only for a completed generation, and voided only for a failed or cancelled one. A fee is the
        one that its completed generation names (transfers_charge_as_completed). At the commit.""",
}


def upgrade() -> None:
    _table()
    _indexes()
    _holds()
    _endings()
    for subject, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {subject} IS $comment${' '.join(comment.split())}$comment$")


def _table() -> None:
    op.execute("""
        CREATE TABLE generations (
            id bigint GENERATED BY DEFAULT AS IDENTITY,
            owner_id bigint NOT NULL,
            style_id bigint NOT NULL,
            artist_id bigint NOT NULL,
            consumed_tokens bigint NOT NULL,
            license_type text NOT NULL,
            license_version smallint NOT NULL,
            style_version smallint NOT NULL,
            fee_tokens bigint DEFAULT 0 NOT NULL,
            hold_id bigint NOT NULL,
            aspect_ratio text NOT NULL,
            seed bigint,
            prompt_tags text[] NOT NULL,
            description text,
            task_id uuid NOT NULL,
            status text NOT NULL,
            attempt smallint NOT NULL,
            due_at timestamptz,
            attempt_failed_at timestamptz,
            hidden boolean DEFAULT false NOT NULL,
            current_step bigint,
            total_steps bigint,
            progress_percent double precision,
            estimated_seconds bigint,
            progress_at timestamptz,
            result_key text,
            public_key text,
            failure_code text,
            failure_message text,
            metadata jsonb NOT NULL,
            like_count bigint DEFAULT 0 NOT NULL,
            comment_count bigint DEFAULT 0 NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            ended_at timestamptz,
            CONSTRAINT pk_generations PRIMARY KEY (id),
            CONSTRAINT ck_generations_status CHECK (
                status IN ('queued', 'processing', 'retrying', 'completed', 'failed', 'cancelled')
            ),
            CONSTRAINT ck_generations_aspect_ratio CHECK (aspect_ratio IN ('1:1', '2:2', '1:2')),
            CONSTRAINT ck_generations_license_type CHECK (license_type IN ('personal', 'commercial', 'exclusive')),
            CONSTRAINT ck_generations_result CHECK (status <> 'completed' OR result_key IS NOT NULL),
            CONSTRAINT ck_generations_hidden CHECK (NOT hidden OR public_key IS NULL),
            CONSTRAINT ck_generations_public CHECK (public_key IS NULL OR status = 'completed'),
            CONSTRAINT ck_generations_ended CHECK (
                (status IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)
            ),
            CONSTRAINT ck_generations_failure CHECK ((failure_code IS NULL) = (failure_message IS NULL)),
            CONSTRAINT ck_generations_progress CHECK (
                num_nulls(current_step, total_steps, progress_percent, progress_at) IN (0, 4)
            ),
            CONSTRAINT ck_generations_attempt_failed_at CHECK (attempt_failed_at IS NULL OR status = 'retrying'),
            CONSTRAINT ck_generations_fee_tokens CHECK (
                fee_tokens = 0 OR (status = 'completed' AND fee_tokens BETWEEN 1 AND consumed_tokens)
            ),
            CONSTRAINT ck_generations_counts CHECK (attempt > 0 AND like_count >= 0 AND comment_count >= 0),
            CONSTRAINT fk_generations_owner_id FOREIGN KEY (owner_id) REFERENCES users (id),
            CONSTRAINT fk_generations_style_id_artist_id
                FOREIGN KEY (style_id, artist_id) REFERENCES styles (id, artist_id)
        ) WITH (fillfactor = 80)
    """)


def _indexes() -> None:
    op.execute("CREATE INDEX ix_generations_completed ON generations (ended_at, created_at) WHERE status = 'completed'")
    op.execute(
        "CREATE INDEX ix_generations_owner_id_created_at_id ON generations (owner_id, created_at, id) INCLUDE (status)"
    )
    op.execute("""
        CREATE INDEX ix_generations_attempt_failed ON generations (attempt_failed_at, id)
        WHERE attempt_failed_at IS NOT NULL
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_generations_result_key ON generations (result_key) WHERE result_key IS NOT NULL
    """)
    op.execute("CREATE INDEX ix_generations_queued ON generations (created_at, id) WHERE status = 'queued'")
    op.execute("CREATE INDEX ix_generations_style_id_created_at ON generations (style_id, created_at)")
    op.execute("CREATE INDEX ix_generations_unended ON generations (created_at, id) WHERE ended_at IS NULL")
    for name, columns in (
        ("public", "(created_at, id)"),
        ("public_owner", "(owner_id, created_at, id)"),
        ("public_owner_popular", "(owner_id, like_count, created_at, id)"),
        ("public_popular", "(like_count, created_at, id)"),
        ("public_style", "(style_id, created_at, id)"),
        ("public_tags", "USING gin (prompt_tags)"),
    ):
        op.execute(f"CREATE INDEX ix_generations_{name} ON generations {columns} WHERE public_key IS NOT NULL")


def _holds() -> None:
    op.execute("""
        CREATE FUNCTION held_as_priced() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            generation bigint;
        BEGIN
            -- A subquery for each row, so that holds are looked up by key, also on tables that were never analyzed.
            SELECT made.id INTO generation
            FROM made
            WHERE (
                SELECT hold.generation_id = made.id AND hold.amount = made.consumed_tokens
                    AND payer.owner_id = made.owner_id AND payee.owner_id = made.artist_id
                FROM transfers hold
                JOIN accounts payer ON payer.id = hold.debit_account_id
                JOIN accounts payee ON payee.id = hold.credit_account_id
                WHERE hold.id = made.hold_id AND hold.phase = 'hold'
            ) IS NOT TRUE
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'generation % has no hold of its price', generation
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_held_as_priced';
            END IF;
            SELECT made.id INTO generation
            FROM made JOIN styles ON styles.id = made.style_id AND takedown_at IS NOT NULL LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'generation % is of a withdrawn style', generation
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_of_offered_style';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER generations_held_as_priced AFTER INSERT ON generations REFERENCING NEW TABLE AS made
        FOR EACH STATEMENT EXECUTE FUNCTION held_as_priced()
    """)
    op.execute("""
        CREATE FUNCTION refuse_by_rule() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% % breaks the rule %', TG_TABLE_NAME, OLD.id, TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_ARGV[0];
        END $$
    """)
    op.execute("""
        CREATE TRIGGER generations_stay_as_held
        BEFORE UPDATE OF id, owner_id, artist_id, hold_id, consumed_tokens ON generations
        FOR EACH ROW WHEN (
            (OLD.id, OLD.owner_id, OLD.artist_id, OLD.hold_id, OLD.consumed_tokens)
            IS DISTINCT FROM (NEW.id, NEW.owner_id, NEW.artist_id, NEW.hold_id, NEW.consumed_tokens)
        )
        EXECUTE FUNCTION refuse_by_rule('generations_held_as_priced')
    """)


def _endings() -> None:
    op.execute("""
        CREATE CONSTRAINT TRIGGER generations_stay_ended AFTER UPDATE OF status, fee_tokens ON generations
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (
            OLD.ended_at IS NOT NULL AND (OLD.status, OLD.fee_tokens) IS DISTINCT FROM (NEW.status, NEW.fee_tokens)
        )
        EXECUTE FUNCTION refuse_by_rule('generations_stay_ended')
    """)
    op.execute("""
        CREATE TRIGGER generations_wait_for_their_tokens BEFORE DELETE ON generations
        FOR EACH ROW WHEN (OLD.ended_at IS NULL) EXECUTE FUNCTION refuse_change()
    """)
    op.execute("""
        CREATE FUNCTION settle_as_ended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM transfers
                WHERE hold_id = NEW.hold_id AND phase = CASE NEW.status WHEN 'completed' THEN 'post' ELSE 'void' END
            ) THEN
                RAISE EXCEPTION 'generation % has ended as %, and its hold has not', NEW.id, NEW.status
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_settle_as_ended';
            END IF;
            IF NEW.fee_tokens > 0 AND NOT EXISTS (
                SELECT FROM transfers WHERE reference = 'fee:generation:' || NEW.id AND hold_id IS NULL
            ) THEN
                RAISE EXCEPTION 'generation % names a fee that was not charged', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'generations_completed_as_charged';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER generations_settle_as_ended
        AFTER INSERT OR UPDATE OF status, fee_tokens ON generations DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION settle_as_ended()
    """)
    op.execute("""
        CREATE FUNCTION resolve_as_ended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind = 'fee' THEN
                IF NOT EXISTS (
                    SELECT FROM generations
                    JOIN transfers post ON post.hold_id = generations.hold_id AND post.phase = 'post'
                    JOIN accounts payer ON payer.id = post.debit_account_id
                    WHERE generations.id = NEW.generation_id AND fee_tokens = NEW.amount AND status = 'completed'
                        AND post.credit_account_id = NEW.debit_account_id AND NEW.paid =
                            CASE payer.owner_id WHEN artist_id THEN 0 ELSE post.paid * NEW.amount / post.amount END
                ) THEN
                    RAISE EXCEPTION 'transfer % is no fee of a completed generation', NEW.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_charge_as_completed';
                END IF;
            ELSIF EXISTS (
                SELECT FROM generations WHERE id = NEW.generation_id AND hold_id = NEW.hold_id AND NEW.phase <> CASE
                    WHEN status = 'completed' THEN 'post' WHEN status IN ('failed', 'cancelled') THEN 'void' ELSE '' END
            ) THEN
                RAISE EXCEPTION 'transfer % resolves the hold of a generation that has not ended like this', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_resolve_as_ended';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER transfers_resolve_as_ended AFTER INSERT ON transfers
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.generation_id IS NOT NULL AND NEW.phase <> 'hold')
        EXECUTE FUNCTION resolve_as_ended()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER transfers_resolve_as_ended ON transfers")
    op.execute("DROP TABLE generations")
    op.execute("DROP FUNCTION resolve_as_ended")
    op.execute("DROP FUNCTION settle_as_ended")
    op.execute("DROP FUNCTION refuse_by_rule")
    op.execute("DROP FUNCTION held_as_priced")
