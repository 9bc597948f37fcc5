"""The ledger of tokens: accounts, the transfers between them, and the balances that follow from these."""

from alembic import op

revision = "0002"
down_revision = "0001"

COMMENTS = {
    "FUNCTION refuse_change()": "Refuses to change or remove rows.",
    "FUNCTION refuse_direct_change()": "Refuses to write what only the ledger's triggers write.",
    "TABLE accounts": """
        Token accounts. Available are `balance - held` tokens; to `balance` belong the account's rows of
        `balance_deltas`, which are rolled up later. The platform's two accounts, `issuance` and `fees`, are there from
        the beginning.""",
    "COLUMN accounts.owner_id": "Of a wallet or of earnings. No foreign key: the account outlives its owner.",
    "COLUMN accounts.balance": "What posted and single transfers have moved in, less what they have moved out.",
    "COLUMN accounts.held": "Tokens of `balance` in open holds.",
    "COLUMN accounts.paid": """
        Tokens of `balance` that were bought: in a wallet the rest is bonus, in earnings the rest came from bonus tokens
        or from the artist's own wallet.""",
    "COLUMN accounts.held_paid": "Tokens of `held` that take paid ones only: of withdrawals and refunds.",
    "COLUMN accounts.debt": """
        Of a wallet: tokens whose money was taken back after they had been spent. `balance - debt` is what the transfers
        say.""",
    "CONSTRAINT uq_accounts_kind_owner_id ON accounts": "One account of a kind for each owner, one for the platform.",
    "CONSTRAINT ck_accounts_kind ON accounts": "Wallets and earnings have an owner, the platform's accounts have none.",
    "CONSTRAINT ck_accounts_solvent ON accounts": """
        No wallet and no earnings spend what they do not have, or a held token twice; only paid tokens are withdrawn or
        refunded; the platform holds nothing.""",
    "TRIGGER accounts_change_by_transfers ON accounts": """
        Balances equal the sums of their transfers: only a trigger changes them.""",
    "TRIGGER accounts_open_empty ON accounts": """
        Balances equal the sums of their transfers: an account is opened empty.""",
    "TRIGGER accounts_stay ON accounts": "Accounts are never deleted: transfers refer to them without foreign keys.",
    "TABLE transfers": """
        Double-entry and append-only: each row moves tokens from the debit account to the credit account, or holds them
        to be moved.""",
    "COLUMN transfers.phase": """
        `single` moves tokens at once; `hold` keeps them in the debit account until `post` moves them or `void` frees
        them.""",
    "COLUMN transfers.reference": "What it is for, such as `generation:17`; unique.",
    "COLUMN transfers.paid": """
        How many of the tokens are paid ones; null for what has moved nothing. What artists pay themselves is not paid
        in their earnings.""",
    "COLUMN transfers.hold_id": "The hold that a post or void resolves. No foreign key: check_transfers finds it.",
    "COLUMN transfers.generation_id": "The generation that is paid for. No foreign key: history outlives it.",
    "COLUMN transfers.order_id": "The purchase that is credited, taken back or refunded, with the money.",
    "CONSTRAINT ck_transfers_amount ON transfers": """
        A transfer has a positive amount and two different accounts; no sum overflows.""",
    "INDEX uq_transfers_reference": "A reference is used once, however often a call is repeated.",
    "INDEX uq_transfers_hold_id": "A hold is resolved once.",
    "INDEX ix_transfers_out": "Transfers out of an account, by time.",
    "INDEX ix_transfers_in": "Transfers into an account, by time.",
    "FUNCTION check_transfers()": """
        Compares the transfers of a statement with their accounts and holds. PostgreSQL parses a CHECK again in each
        statement, and a function once.""",
    "TRIGGER transfers_check ON transfers": """
        The kind of a transfer determines its accounts and phases (transfers_go_as_named). A transfer refers to what its
        kind says: a generation, a purchase and its price, or neither (transfers_reference_of_kind). A post or void
        repeats its hold (transfers_resolve_as_held). The paid part is as its kind says (transfers_paid_of_kind). After
        statements triggers run in the order of their names, so this is before transfers_move_tokens.""",
    "FUNCTION move_tokens()": """
        Updates wallets in place, because only their owner spends from them. Earnings and the platform's accounts, which
        many pay into at once, get rows of `balance_deltas` instead, so that no payment waits for a popular account.
        Earnings that are debited are rolled up first, under the account's lock, so that the whole balance is compared.
        A fee is taken from what the same transaction has posted, so it is not compared. Of several accounts the one
        with the least id is locked first, so that transactions cannot deadlock. Paid tokens are spent when there are no
        bonus tokens left (transfers_spend_bonus_first). A user with a debt can neither hold nor withdraw tokens
        (accounts_in_debt_spend_nothing); what comes in or free pays the debt first.""",
    "TRIGGER transfers_move_tokens ON transfers": """
        Balances equal the sums of their transfers, and the sum over all is zero: both sides change with the
        transfer.""",
    "TRIGGER transfers_append_only ON transfers": "Append-only.",
    "TABLE balance_deltas": """
        Deltas of balances that are not rolled up yet. Deleting a row rolls it up.""",
    "FUNCTION roll_up_deltas()": "Adds deleted rows of `balance_deltas` to the balances.",
    "TRIGGER balance_deltas_roll_up ON balance_deltas": """
        Balances equal the sums of their transfers: no delta is lost.""",
    "TRIGGER balance_deltas_change_by_transfers ON balance_deltas": """
        Balances equal the sums of their transfers: only a trigger adds a delta.""",
}


def upgrade() -> None:
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE FUNCTION refuse_direct_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% change by transfers only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
    """)
    _accounts()
    _transfers()
    _balance_deltas()
    for subject, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {subject} IS $comment${' '.join(comment.split())}$comment$")


def _accounts() -> None:
    op.execute("""
        CREATE TABLE accounts (
            id bigint GENERATED BY DEFAULT AS IDENTITY,
            kind text NOT NULL,
            owner_id bigint,
            balance bigint DEFAULT 0 NOT NULL,
            held bigint DEFAULT 0 NOT NULL,
            paid bigint DEFAULT 0 NOT NULL,
            held_paid bigint DEFAULT 0 NOT NULL,
            debt bigint DEFAULT 0 NOT NULL,
            CONSTRAINT pk_accounts PRIMARY KEY (id),
            CONSTRAINT uq_accounts_kind_owner_id UNIQUE NULLS NOT DISTINCT (kind, owner_id),
            CONSTRAINT ck_accounts_kind CHECK (
                CASE WHEN owner_id IS NULL THEN kind IN ('issuance', 'fees') ELSE kind IN ('wallet', 'earnings') END
            ),
            CONSTRAINT ck_accounts_solvent CHECK (
                CASE WHEN owner_id IS NULL THEN held = 0 ELSE least(held_paid, debt) >= 0
                    AND held BETWEEN held_paid AND balance AND paid BETWEEN held_paid AND balance END
            )
        ) WITH (fillfactor = 70)
    """)
    op.execute("INSERT INTO accounts (kind) VALUES ('issuance'), ('fees')")
    op.execute("""
        CREATE TRIGGER accounts_change_by_transfers BEFORE UPDATE ON accounts
        FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_direct_change()
    """)
    op.execute("""
        CREATE TRIGGER accounts_open_empty BEFORE INSERT ON accounts
        FOR EACH ROW WHEN ((NEW.balance, NEW.held, NEW.paid, NEW.held_paid, NEW.debt) <> (0, 0, 0, 0, 0))
        EXECUTE FUNCTION refuse_direct_change()
    """)
    op.execute("""
        CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def _transfers() -> None:
    op.execute("""
        CREATE TABLE transfers (
            id bigint GENERATED BY DEFAULT AS IDENTITY,
            phase text NOT NULL,
            reference text NOT NULL,
            kind text NOT NULL,
            debit_account_id bigint NOT NULL,
            credit_account_id bigint NOT NULL,
            amount bigint NOT NULL,
            paid bigint,
            hold_id bigint,
            generation_id bigint,
            order_id text,
            memo text,
            price_per_token bigint,
            total_price bigint,
            currency_code text,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_transfers PRIMARY KEY (id),
            CONSTRAINT ck_transfers_amount CHECK (amount BETWEEN 1 AND 1000000000)
        )
    """)
    op.execute(
        "CREATE INDEX ix_transfers_in ON transfers (credit_account_id, created_at, id)"
        " WHERE phase IN ('post', 'single')"
    )
    op.execute(
        "CREATE INDEX ix_transfers_out ON transfers (debit_account_id, created_at, id)"
        " WHERE phase IN ('hold', 'single')"
    )
    op.execute("CREATE UNIQUE INDEX uq_transfers_reference ON transfers (reference) WHERE hold_id IS NULL")
    op.execute("CREATE UNIQUE INDEX uq_transfers_hold_id ON transfers (hold_id) WHERE hold_id IS NOT NULL")
    op.execute("""
        CREATE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            transfer record;
            sold integer;
            rule text;
        BEGIN
            FOR transfer IN
                SELECT made.*, (SELECT kind FROM accounts WHERE id = debit_account_id) AS debit_kind,
                    (SELECT kind FROM accounts WHERE id = credit_account_id) AS credit_kind
                FROM made
            LOOP
                sold := num_nonnulls(
                    transfer.order_id, transfer.price_per_token, transfer.total_price, transfer.currency_code
                );
                IF transfer.hold_id IS NOT NULL THEN
                    IF transfer.phase NOT IN ('post', 'void') OR NOT EXISTS (
                        SELECT FROM transfers hold
                        WHERE hold.id = transfer.hold_id AND hold.phase = 'hold' AND hold.kind = transfer.kind
                            AND hold.reference = transfer.reference AND hold.amount = transfer.amount
                            AND hold.debit_account_id = transfer.debit_account_id
                            AND hold.credit_account_id = transfer.credit_account_id
                            AND (hold.generation_id, hold.order_id, hold.price_per_token, hold.total_price,
                                hold.currency_code) IS NOT DISTINCT FROM (transfer.generation_id, transfer.order_id,
                                transfer.price_per_token, transfer.total_price, transfer.currency_code)
                    ) THEN
                        rule := 'transfers_resolve_as_held';
                    END IF;
                ELSIF ((transfer.kind, transfer.phase, transfer.debit_kind, transfer.credit_kind) IN (
                    ('bonus', 'single', 'issuance', 'wallet'),
                    ('purchase', 'single', 'issuance', 'wallet'),
                    ('taken_bonus', 'single', 'wallet', 'issuance'),
                    ('charge_back', 'single', 'wallet', 'issuance'),
                    ('refund', 'hold', 'wallet', 'issuance'),
                    ('forgiveness', 'single', 'issuance', 'wallet'),
                    ('generation', 'hold', 'wallet', 'earnings'),
                    ('fee', 'single', 'earnings', 'fees'),
                    ('withdrawal', 'hold', 'earnings', 'issuance')
                )) IS NOT TRUE THEN
                    rule := 'transfers_go_as_named';
                ELSIF (
                    transfer.reference = CASE transfer.kind
                        WHEN 'generation' THEN 'generation:' || transfer.generation_id
                        WHEN 'fee' THEN 'fee:generation:' || transfer.generation_id
                        WHEN 'purchase' THEN 'purchase:' || transfer.order_id
                        ELSE transfer.reference
                    END
                    AND (transfer.kind IN ('generation', 'fee')) = (transfer.generation_id IS NOT NULL)
                    AND sold = CASE WHEN transfer.kind IN ('purchase', 'charge_back', 'refund') THEN 4 ELSE 0 END
                ) IS NOT TRUE THEN
                    rule := 'transfers_reference_of_kind';
                END IF;
                IF transfer.phase IN ('hold', 'void') THEN
                    IF transfer.paid IS NOT NULL THEN
                        rule := coalesce(rule, 'transfers_paid_of_kind');
                    END IF;
                ELSIF (
                    CASE WHEN transfer.kind IN ('generation', 'fee') THEN transfer.paid BETWEEN 0 AND transfer.amount
                        WHEN transfer.kind IN ('bonus', 'taken_bonus') THEN transfer.paid = 0
                        ELSE transfer.paid = transfer.amount END
                ) IS NOT TRUE THEN
                    rule := coalesce(rule, 'transfers_paid_of_kind');
                END IF;
                IF rule IS NOT NULL THEN
                    RAISE EXCEPTION 'transfer % breaks the rule %', transfer.id, rule
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = rule;
                END IF;
            END LOOP;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER transfers_check AFTER INSERT ON transfers REFERENCING NEW TABLE AS made
        FOR EACH STATEMENT EXECUTE FUNCTION check_transfers()
    """)
    op.execute("""
        CREATE FUNCTION move_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            parties integer;
            several boolean;
            withdraws boolean;
            moves boolean;
            spends boolean;
            frees boolean;
            moved integer;
        BEGIN
            SELECT
                count(DISTINCT CASE WHEN kind IN ('bonus', 'purchase', 'forgiveness') THEN credit_account_id
                    WHEN kind <> 'fee' THEN debit_account_id END),
                count(*) FILTER (WHERE kind <> 'fee') > 1,
                bool_or(kind = 'withdrawal'),
                bool_or(phase IN ('post', 'single')),
                bool_or(phase = 'post' AND kind = 'generation'),
                bool_or(phase = 'void' OR kind IN ('bonus', 'purchase', 'charge_back'))
            INTO parties, several, withdraws, moves, spends, frees FROM made;

            IF several OR withdraws THEN
                PERFORM FROM accounts WHERE id IN (
                    SELECT debit_account_id FROM made WHERE kind NOT IN ('bonus', 'purchase', 'forgiveness', 'fee')
                    UNION ALL
                    SELECT credit_account_id FROM made WHERE kind IN ('bonus', 'purchase', 'forgiveness')
                    UNION ALL
                    SELECT wallet.id FROM made JOIN accounts earnings ON earnings.id = debit_account_id
                    JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = earnings.owner_id
                    WHERE made.kind = 'withdrawal'
                )
                ORDER BY id FOR NO KEY UPDATE;
            END IF;
            IF withdraws THEN
                DELETE FROM balance_deltas WHERE account_id IN (
                    SELECT debit_account_id FROM made WHERE kind = 'withdrawal'
                );
                IF EXISTS (
                    SELECT FROM made JOIN accounts earnings ON earnings.id = debit_account_id
                    JOIN accounts wallet ON wallet.kind = 'wallet' AND wallet.owner_id = earnings.owner_id
                    WHERE made.kind = 'withdrawal' AND phase <> 'void' AND wallet.debt > 0
                ) THEN
                    RAISE EXCEPTION 'a withdrawal of a user who has a debt'
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'accounts_in_debt_spend_nothing';
                END IF;
            END IF;

            UPDATE accounts SET balance = balance + change.moved, held = held + change.held_more,
                paid = paid + change.paid_more, held_paid = held_paid + change.held_paid_more, debt = debt + change.owed
            FROM (
                SELECT side.account_id, sum(side.moved)::bigint AS moved, sum(side.held_more)::bigint AS held_more,
                    sum(side.paid_more)::bigint AS paid_more, sum(side.held_paid_more)::bigint AS held_paid_more,
                    sum(side.owed)::bigint AS owed, bool_or(side.holds) AS holds
                FROM (
                    SELECT debit_account_id AS account_id,
                        CASE WHEN phase = 'post' OR kind = 'taken_bonus' THEN -amount ELSE 0 END AS moved,
                        CASE phase WHEN 'hold' THEN amount WHEN 'single' THEN 0 ELSE -amount END AS held_more,
                        CASE phase WHEN 'post' THEN -paid ELSE 0 END AS paid_more,
                        CASE WHEN kind = 'generation' OR phase = 'single' THEN 0
                            WHEN phase = 'hold' THEN amount ELSE -amount END AS held_paid_more,
                        CASE kind WHEN 'charge_back' THEN amount ELSE 0 END AS owed,
                        phase = 'hold' AS holds
                    FROM made WHERE kind NOT IN ('bonus', 'purchase', 'forgiveness', 'fee')
                    UNION ALL
                    SELECT credit_account_id, CASE kind WHEN 'forgiveness' THEN 0 ELSE amount END, 0,
                        CASE kind WHEN 'purchase' THEN amount ELSE 0 END, 0,
                        CASE kind WHEN 'forgiveness' THEN -amount ELSE 0 END, false
                    FROM made WHERE kind IN ('bonus', 'purchase', 'forgiveness')
                ) side
                GROUP BY side.account_id
            ) change
            WHERE accounts.id = change.account_id AND NOT (change.holds AND accounts.debt > 0);
            GET DIAGNOSTICS moved = ROW_COUNT;
            IF moved < parties THEN
                RAISE EXCEPTION 'a hold of a user who has a debt'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'accounts_in_debt_spend_nothing';
            END IF;

            IF spends AND EXISTS (
                SELECT FROM made JOIN accounts ON accounts.id = debit_account_id
                WHERE phase = 'post' AND made.kind = 'generation' AND made.paid > 0 AND accounts.balance > accounts.paid
            ) THEN
                RAISE EXCEPTION 'paid tokens are spent, and there are bonus tokens'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'transfers_spend_bonus_first';
            END IF;
            IF frees THEN
                UPDATE accounts SET balance = balance - due, paid = paid - due, debt = debt - due
                FROM (
                    SELECT id, least(
                        debt, paid - held_paid - greatest(0, (held - held_paid) - (balance - paid))
                    ) AS due
                    FROM accounts
                    WHERE debt > 0 AND id IN (
                        SELECT CASE WHEN kind IN ('bonus', 'purchase') THEN credit_account_id ELSE debit_account_id END
                        FROM made
                    )
                ) owing
                WHERE accounts.id = owing.id AND due > 0;
            END IF;
            IF moves THEN
                INSERT INTO balance_deltas (account_id, transfer_id, amount, paid)
                SELECT debit_account_id, id, -amount, -paid FROM made
                WHERE phase = 'single' AND kind NOT IN ('taken_bonus', 'charge_back')
                UNION ALL
                SELECT credit_account_id, id, amount, CASE WHEN kind = 'generation' AND EXISTS (
                    SELECT FROM accounts payer JOIN accounts payee USING (owner_id)
                    WHERE payer.id = debit_account_id AND payee.id = credit_account_id
                ) THEN 0 ELSE paid END
                FROM made WHERE phase = 'post' OR kind IN ('fee', 'taken_bonus', 'charge_back');
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER transfers_move_tokens AFTER INSERT ON transfers REFERENCING NEW TABLE AS made
        FOR EACH STATEMENT EXECUTE FUNCTION move_tokens()
    """)
    op.execute("""
        CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)


def _balance_deltas() -> None:
    op.execute("""
        CREATE TABLE balance_deltas (
            account_id bigint NOT NULL,
            transfer_id bigint NOT NULL,
            amount bigint NOT NULL,
            paid bigint NOT NULL,
            CONSTRAINT pk_balance_deltas PRIMARY KEY (account_id, transfer_id) INCLUDE (amount, paid)
        )
    """)
    op.execute("""
        CREATE FUNCTION roll_up_deltas() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE accounts SET balance = balance + total, paid = paid + total_paid
            FROM (
                SELECT account_id, sum(amount) AS total, sum(paid) AS total_paid FROM removed GROUP BY account_id
            ) rolled_up
            WHERE accounts.id = account_id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER balance_deltas_roll_up AFTER DELETE ON balance_deltas REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION roll_up_deltas()
    """)
    op.execute("""
        CREATE TRIGGER balance_deltas_change_by_transfers BEFORE INSERT OR UPDATE OR TRUNCATE ON balance_deltas
        FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_direct_change()
    """)


def downgrade() -> None:
    op.execute("DROP TABLE balance_deltas")
    op.execute("DROP TABLE transfers")
    op.execute("DROP TABLE accounts")
    op.execute("DROP FUNCTION roll_up_deltas")
    op.execute("DROP FUNCTION move_tokens")
    op.execute("DROP FUNCTION check_transfers")
    op.execute("DROP FUNCTION refuse_direct_change")
    op.execute("DROP FUNCTION refuse_change")
