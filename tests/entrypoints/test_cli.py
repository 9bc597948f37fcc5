import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg

from adapters.postgres.pool import create_pool
from tests.contracts.postgres_world import PostgresWorld
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


def cli(command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command, run to its end, with nothing in its environment but this."""
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli", *command.split()],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command() -> None:
    done = cli("--help")

    assert done.returncode == 0
    for command in ("run", "demo", "migrate", "relay", "redrive", "sweep", "reconcile", "admin"):
        assert re.search(rf"^ +{command}\s+\w", done.stdout, re.MULTILINE)


def test_a_command_that_does_not_exist_is_refused() -> None:
    assert cli("dance").returncode == 2


def test_production_starts_nothing_embedded_and_names_all_that_is_missing(tmp_path: Path) -> None:
    for command in ("run", "migrate", "relay", "redrive", "sweep", "reconcile", "admin somebody@example.com"):
        done = cli(command, APP_ENV="production", SECRET_KEY="short", DATA_DIR=str(tmp_path / "data"))

        assert done.returncode == 2
        for name in ("DATABASE_URL", "RABBITMQ_HOST", "GCS_BUCKET_NAME", "GOOGLE_CLIENT_ID", "SECRET_KEY is weak"):
            assert name in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_is_told_in_one_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = cli("run", PORT=str(port), DATA_DIR=str(tmp_path / "data"))

    assert done.returncode == 1
    assert done.stderr.startswith(f"Cannot listen on 127.0.0.1:{port}")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_database_out_of_reach_is_told_in_one_message(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

    done = cli("run", PORT=str(free_port()), DATABASE_URL=url, DATA_DIR=str(tmp_path / "data"))

    assert done.returncode == 1
    assert "The database is unavailable: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_relay_of_its_own_needs_a_broker(tmp_path: Path) -> None:
    done = cli("relay", DATA_DIR=str(tmp_path / "data"))

    assert done.returncode == 1
    assert "RABBITMQ_HOST" in done.stderr


def test_the_demo_says_that_nothing_answers() -> None:
    done = cli("demo", API_BASE_URL="http://service.invalid:8000")

    assert done.returncode == 1
    assert "Nothing answers at http://service.invalid:8000" in done.stderr


async def test_the_books_are_looked_at(own_database_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": own_database_url, "DATA_DIR": str(tmp_path / "data")}
    done = await asyncio.to_thread(cli, "reconcile", **given)
    assert done.returncode == 0
    assert "1 the sum over all accounts is zero: ok" in done.stderr

    connection = await asyncpg.connect(own_database_url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE accounts SET balance = 7 WHERE kind = 'fees'")
    await connection.close()

    done = await asyncio.to_thread(cli, "reconcile", **given)
    assert done.returncode == 1
    assert "the sum over all accounts is zero: 1 BROKEN, first: {'id': 0, 'sum': 7}" in done.stderr
    assert "every balance is what the transfers say: 1 BROKEN, first: {'id': 2, 'kind': 'fees'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_somebody_is_made_an_admin(own_database_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": own_database_url, "DATA_DIR": str(tmp_path / "data")}
    done = await asyncio.to_thread(cli, "admin ann@example.com", **given)
    assert done.returncode == 1
    assert "0 users have the e-mail address ann@example.com." in done.stderr

    async with create_pool(own_database_url) as pool:
        world = PostgresWorld(pool)
        ann = await world.user("ann")
        done = await asyncio.to_thread(cli, "admin ann@example.com", **given)
        assert (done.returncode, done.stderr) == (0, "ann is an admin.\n")
        assert (await world.read.accounts.me(ann.id)).role == "admin"
