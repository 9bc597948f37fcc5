"""Which connections production encrypts."""

from pathlib import Path

import pytest

from entrypoints.settings import read_settings
from tests.entrypoints.production import PRODUCTION, problems


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@db/app",
        "postgresql://app@10.0.0.5/app",
        "postgresql://app@[fd00::5]:5432/app",
        "postgresql://app@/app?host=db",
        "postgresql://app@db/app?host=/cloudsql/project:region:instance",  # the host before the path counts
        "postgresql://app@localhost.example.com/app",
        "postgresql://app@db/app?sslmode=disable",
        "postgresql://app@db/app?sslmode=allow",
        "postgresql://app@db/app?sslmode=prefer",
        "postgresql://app@db/app?sslmode=require&sslmode=disable",
        "postgresql://app@127.0.0.1,db/app",
        "postgresql://app@127.0.0.1:5432,db:5432/app",
        "postgresql://app@/app?host=/run/postgresql,db",
    ],
)
def test_production_refuses_an_unencrypted_database(url: str) -> None:
    [problem] = problems(**{**PRODUCTION, "DATABASE_URL": url})

    assert problem.startswith("DATABASE_URL may connect unencrypted: add ?sslmode=verify-full")
    assert "ALLOW_PLAINTEXT_CONNECTIONS=on" in problem


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@/app?host=/cloudsql/project:region:instance",
        "postgresql://app@localhost:5432/app",
        "postgresql://app@127.0.0.1/app",
        "postgresql://app@[::1]:5432/app",
        "postgresql://app@127.0.0.1:5432,localhost:5433/app?sslmode=disable",
    ],
)
def test_a_database_on_the_same_machine_needs_no_encryption(url: str) -> None:
    assert read_settings({**PRODUCTION, "DATABASE_URL": url}).production


@pytest.mark.parametrize("host", ["broker", "10.0.0.5", "localhost.example.com"])
def test_production_refuses_an_unencrypted_broker(host: str) -> None:
    [problem] = problems(**{**PRODUCTION, "RABBITMQ_HOST": host, "RABBITMQ_TLS": ""})

    assert problem.startswith("RABBITMQ_TLS is off: set RABBITMQ_TLS=on, or ALLOW_PLAINTEXT_CONNECTIONS=on")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_broker_on_the_same_machine_needs_no_encryption(host: str) -> None:
    assert read_settings({**PRODUCTION, "RABBITMQ_HOST": host, "RABBITMQ_TLS": "off"}).production


def test_unencrypted_connections_are_refused_in_one_message() -> None:
    plain = {**PRODUCTION, "DATABASE_URL": "postgresql://app@db/app", "RABBITMQ_TLS": "off"}

    found = problems(**plain, RATE_LIMITS="off")

    assert [problem.split()[0] for problem in found] == ["DATABASE_URL", "RABBITMQ_TLS", "RATE_LIMITS=off"]


def test_an_operator_can_allow_unencrypted_connections() -> None:
    plain = {**PRODUCTION, "DATABASE_URL": "postgresql://app@db/app", "RABBITMQ_TLS": "off"}
    allowed = {**plain, "ALLOW_PLAINTEXT_CONNECTIONS": "on"}

    assert read_settings(allowed).production
    assert [problem.split()[0] for problem in problems(**allowed, TOSS_API_BASE="http://toss")] == ["TOSS_API_BASE"]


def test_development_connects_unencrypted() -> None:
    assert read_settings({"DATABASE_URL": "postgresql://app@db/app", "RABBITMQ_HOST": "broker"}).rabbitmq


def test_the_broker_can_be_reached_by_tls(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    encrypted = {"RABBITMQ_HOST": "broker", "RABBITMQ_TLS": "on"}
    system = read_settings(encrypted).rabbitmq
    own = read_settings({**encrypted, "RABBITMQ_CA_FILE": str(file), "RABBITMQ_PORT": "5673"}).rabbitmq

    assert system is not None
    assert own is not None
    assert (system.tls, system.port, system.ca_file) == (True, 5671, None)
    assert (own.tls, own.port, own.ca_file) == (True, 5673, file)


@pytest.mark.parametrize(
    "given", [{"RABBITMQ_TLS": "off"}, {"RABBITMQ_TLS": "on", "RABBITMQ_CA_FILE": "/no/such/file"}], ids=str
)
def test_an_unused_ca_file_is_refused(tmp_path: Path, given: dict[str, str]) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    [problem] = problems(**{"RABBITMQ_HOST": "broker", "RABBITMQ_CA_FILE": str(file), **given})
    assert problem.startswith("RABBITMQ_CA_FILE")
