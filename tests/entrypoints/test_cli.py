import asyncio
import contextlib
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.pool import create_pool
from entrypoints.data_directory import DataDirectory, Holder
from tests.contracts.postgres_world import PostgresWorld
from tests.support.gcs import Bucket
from tests.support.ports import free_port
from tests.support.processes import NOWHERE, environment

ON_A_DATABASE = (
    *("relay", "maintenance", "reconcile", "tasks redrive", "admins add ann@example.com", "admins list", "audit list"),
    *("users suspend ann --reason Spam", "users restore ann --reason Sorry", "users end-sessions ann"),
    *("withdrawals list", "withdrawals settle 1", "withdrawals reject 1 --reason No"),
)
"""The commands that need one with tables."""
BROKER = {"RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": "1"}
"""One that does not answer; there are commands that want one to be named."""


def cli(command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command, run to its end, with nothing in its environment but this."""
    return cli_in(NOWHERE, command, **environ)


def cli_in(cwd: Path, command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli", *command.split()],
        env=environment(**environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line that a refused command says."""
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_help_names_every_command() -> None:
    done = cli("--help")

    assert done.returncode == 0
    for command in ("run", "demo", "migrate", "relay", "maintenance", "reconcile", "cors", "users", "withdrawals"):
        assert re.search(rf"^ +{command}\s+\w", done.stdout, re.MULTILINE)


def test_an_unknown_command_is_refused() -> None:
    for command in ("dance", "users dance", "tasks redrive --limit none", "users suspend ann"):
        done = cli(command)
        assert done.returncode == 2
        assert re.fullmatch(r".+ See `python -m entrypoints.cli.* --help`.\n", done.stderr)


@pytest.mark.parametrize(
    ("command", "argument"),
    [("tokens refund -abc --reason Sorry", "ORDER_ID"), ("users suspend -ann --reason Spam", "USER")],
)
def test_what_looks_like_an_option_is_explained(command: str, argument: str) -> None:
    explained = f"If {argument} begins with a hyphen, give the options first, and `--` before it."

    refused = cli(command)
    assert refused.returncode == 2
    assert refused.stderr.startswith("No such option")
    assert f" {explained} See `" in refused.stderr
    shown = cli(" ".join([*command.split()[:2], "--help"])).stdout
    assert explained in " ".join(shown.split())


def test_production_names_all_missing_settings_and_embeds_nothing(tmp_path: Path) -> None:
    for command in ("run", "migrate", "relay", "maintenance", "reconcile", "tasks redrive", "admins add ann"):
        done = cli(command, APP_ENV="production", SECRET_KEY="short", DATA_DIR=str(tmp_path / "data"))

        assert done.returncode == 2
        for name in ("DATABASE_URL", "RABBITMQ_HOST", "GCS_BUCKET_NAME", "GOOGLE_CLIENT_ID", "SECRET_KEY is weak"):
            assert name in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_reported_in_one_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = cli("run", PORT=str(port), DATA_DIR=str(tmp_path / "data"))

    assert refusal(done).startswith(f"Cannot listen on 127.0.0.1:{port}")
    assert not (tmp_path / "data").exists()


def test_an_unavailable_database_is_reported_in_one_message(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

    done = cli("run", PORT=str(free_port()), DATABASE_URL=url, DATA_DIR=str(tmp_path / "data"))

    assert "The database is unavailable" in refusal(done)


@pytest.mark.parametrize("command", ["migrate", *ON_A_DATABASE[1:]])
def test_a_missing_database_is_reported_in_one_line(command: str, tmp_path: Path) -> None:
    done = cli(
        command, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing", DATA_DIR=str(tmp_path / "data"), **BROKER
    )

    assert refusal(done).startswith("The database is unavailable: ")


def test_a_url_of_another_database_is_reported_in_one_line(tmp_path: Path) -> None:
    done = cli("migrate", DATABASE_URL="mysql://nobody@127.0.0.1/nothing", DATA_DIR=str(tmp_path / "data"))

    assert refusal(done).startswith("The database is unavailable: ")


@pytest.mark.parametrize("command", ON_A_DATABASE)
async def test_a_database_without_tables_is_reported_in_one_line(
    command: str, empty_database_url: str, tmp_path: Path
) -> None:
    given = {"DATABASE_URL": empty_database_url, "DATA_DIR": str(tmp_path / "data"), **BROKER}
    done = await asyncio.to_thread(cli, command, **given)

    assert refusal(done).startswith("The database lacks migrations: run `make migrate`")


@pytest.mark.parametrize("command", ON_A_DATABASE)
def test_commands_do_not_create_a_database(command: str, tmp_path: Path) -> None:
    done = cli(command, DATA_DIR=str(tmp_path / "data"), **BROKER)

    assert refusal(done) == f"There is no database in {tmp_path / 'data'} yet: `make run` creates it."
    assert not (tmp_path / "data").exists()


async def test_missing_migration_privileges_are_reported_in_one_line(empty_database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(empty_database_url)
    visitor = f"visitor_{uuid4().hex}"
    await connection.execute(f"CREATE ROLE {visitor} LOGIN PASSWORD 'visitor'")
    try:
        place = urlsplit(empty_database_url)
        url = place._replace(netloc=f"{visitor}:visitor@{place.netloc.rpartition('@')[2]}").geturl()
        done = await asyncio.to_thread(cli, "migrate", DATABASE_URL=url, DATA_DIR=str(tmp_path / "data"))
    finally:
        await connection.execute(f"DROP ROLE {visitor}")
        await connection.close()

    assert "permission denied" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "demo", "migrate", "reconcile"])
def test_an_invalid_data_directory_is_reported_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = cli(command, DATA_DIR=str(tmp_path / "file"), PORT=str(free_port()), **BROKER)

    assert str(tmp_path / "file") in refusal(done)


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_service_does_not_start_beside_another_command(command: str, tmp_path: Path) -> None:
    with DataDirectory(tmp_path).held(Holder("maintenance", 12)):
        done = cli(command, DATA_DIR=str(tmp_path), PORT=str(free_port()))

    assert refusal(done).startswith(f"The state in {tmp_path} is in use by `maintenance` (process 12)")


def test_a_data_directory_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    """While it imports what it would have needed: it ends after that."""
    with DataDirectory(tmp_path).held(Holder("run", 12, "http://127.0.0.1:8001")):
        done = cli("run", DATA_DIR=str(tmp_path), PORT=str(free_port()))

    assert refusal(done).startswith(
        f"The service is running already on the state in {tmp_path}, at http://127.0.0.1:8001"
    )


def test_a_command_reads_the_env_file_of_its_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=nonsense\nHOST=localhost\n")

    refused = cli_in(tmp_path, "run")
    overruled = cli_in(tmp_path, "demo", PORT="1", API_BASE_URL="http://service.invalid:8000")

    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "The settings are not complete: PORT='nonsense' is not a whole number from 0 to 65535"
    ]
    assert refusal(overruled) == "Nothing answers at http://service.invalid:8000."


def test_a_separate_relay_requires_a_broker(tmp_path: Path) -> None:
    done = cli("relay", DATA_DIR=str(tmp_path / "data"))

    assert "RABBITMQ_HOST" in refusal(done)


def test_the_demo_reports_an_unreachable_service() -> None:
    done = cli("demo", API_BASE_URL="http://service.invalid:8000")

    assert refusal(done) == "Nothing answers at http://service.invalid:8000."


async def test_reconcile_reports_on_the_ledger(database_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data")}
    done = await asyncio.to_thread(cli, "reconcile", **given)
    assert done.returncode == 0
    assert "1 the sum over all accounts is zero: ok" in done.stderr

    connection = await asyncpg.connect(database_url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE accounts SET balance = 7 WHERE kind = 'fees'")
    await connection.close()

    done = await asyncio.to_thread(cli, "reconcile", **given)
    assert done.returncode == 1
    assert "the sum over all accounts is zero: 1 BROKEN, first: {'id': 0, 'sum': 7}" in done.stderr
    assert "every balance equals the sum of its transfers: 1 BROKEN, first: {'id': 2, 'kind': 'fees'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_admins_add_makes_a_user_an_admin(database_url: str, tmp_path: Path) -> None:
    given = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path / "data")}
    done = await asyncio.to_thread(cli, "admins add ann@example.com", **given)
    assert "0 users have the id, username or e-mail address ann@example.com." in refusal(done)

    async with create_pool(database_url) as pool:
        world = PostgresWorld(pool)
        ann = await world.user("ann")
        done = await asyncio.to_thread(cli, "admins add ann@example.com", **given)
        assert (done.returncode, done.stdout, done.stderr) == (0, "ann is an admin.\n", "")
        assert (await world.read.accounts.me(ann.id)).role == "admin"


def test_cors_allows_the_frontend_origins_to_upload(bucket: Bucket) -> None:
    done = cli("cors", **bucket.environment, CORS_ALLOWED_ORIGINS="https://example.com,http://localhost:3000")

    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == (
        f"{bucket.name} takes uploads from https://example.com, http://localhost:3000.\n"
    )
    with contextlib.closing(bucket.emulator.client()) as client:
        (rule,) = client.get_bucket(bucket.name).cors
    assert rule["origin"] == ["https://example.com", "http://localhost:3000"]


def test_cors_requires_a_bucket_and_an_origin(bucket: Bucket) -> None:
    assert refusal(cli("cors", CORS_ALLOWED_ORIGINS="https://example.com")).startswith("GCS_BUCKET_NAME is not set")
    assert refusal(cli("cors", **bucket.environment)) == "CORS_ALLOWED_ORIGINS is not set."
