"""Beside a running service, on what it runs on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from core.secret import Secret
from entrypoints import development
from entrypoints.command_failed import CommandFailed
from entrypoints.data_directory import DataDirectory, Holder
from entrypoints.development import embedded_parts, service_url
from entrypoints.settings import Settings, read_settings

SERVICE = Holder("run", 12, "http://127.0.0.1:8001", Secret("postgresql://somewhere/database"))


def settings(folder: Path, **environ: str) -> Settings:
    return read_settings({"DATA_DIR": str(folder), **environ})


def beside(given: Settings) -> Settings:
    with embedded_parts(given, command="maintenance", say=print, beside=True, create=False) as complete:
        return complete


@pytest.fixture
def service(tmp_path: Path) -> Iterator[DataDirectory]:
    """The directory, held by a service."""
    directory = DataDirectory(tmp_path)
    with directory.held(SERVICE):
        yield directory


def test_a_command_uses_database_and_url_of_the_service(service: DataDirectory) -> None:
    complete = beside(settings(service.path))

    assert (complete.database_url, complete.api_base_url) == (SERVICE.database_url, SERVICE.api_base_url)
    assert complete.google is not None
    assert complete.google.discovery_url.startswith("http://127.0.0.1:8001/")
    assert service.holder() == SERVICE


def test_the_settings_of_the_command_take_precedence(service: DataDirectory) -> None:
    complete = beside(
        settings(service.path, DATABASE_URL="postgresql://elsewhere/x", API_BASE_URL="https://api.example.com")
    )

    assert (complete.database_url, complete.api_base_url) == (
        Secret("postgresql://elsewhere/x"),
        "https://api.example.com",
    )


def test_a_command_waits_for_a_service_that_is_starting_its_database(service: DataDirectory) -> None:
    service.describe(Holder("run", 12, SERVICE.api_base_url))
    found: list[Settings] = []
    command = threading.Thread(target=lambda: found.append(beside(settings(service.path))))
    command.start()

    service.describe(SERVICE)
    command.join()

    assert [complete.database_url for complete in found] == [SERVICE.database_url]


def test_a_command_requires_a_database(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"There is no database in .*data yet: `make run` creates it\."):
        beside(settings(tmp_path / "data"))

    assert not (tmp_path / "data").exists()


def test_waiting_for_a_database_times_out(service: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    service.describe(Holder("migrate", 12))
    (service.path / "postgres").mkdir()
    (service.path / "postgres/PG_VERSION").touch()
    monkeypatch.setattr(development, "STARTS_WITHIN", 0.0)

    with pytest.raises(CommandFailed, match=r"in use by `migrate` \(process 12\): try again"):
        beside(settings(service.path))


def test_two_services_cannot_share_a_directory(service: DataDirectory) -> None:
    with (
        pytest.raises(CommandFailed, match=r"running already on the state in .*, at http://127\.0\.0\.1:8001: stop"),
        embedded_parts(settings(service.path), command="run", say=print),
    ):
        raise AssertionError


def test_a_service_publishes_its_database_and_url(tmp_path: Path) -> None:
    given = settings(tmp_path, DATABASE_URL="postgresql://somewhere/database", PORT="8001")
    with embedded_parts(given, command="run", say=print):
        holder = DataDirectory(tmp_path).holder()

    assert holder is not None
    assert msgspec.structs.replace(holder, pid=12) == SERVICE
    assert DataDirectory(tmp_path).holder() is None


def test_secrets_are_generated_once_and_completed(tmp_path: Path) -> None:
    def started() -> Settings:
        with embedded_parts(settings(tmp_path, DATABASE_URL="postgresql://x/y"), command="run", say=print) as complete:
            return complete

    (tmp_path / "secrets.json").write_text('{"secret_key": "kept", "of another version": "kept"}')
    first, second = started(), started()

    assert first.secret_key == Secret("kept")
    assert len({*first.training_tokens, *first.inference_tokens, *first.operator_tokens}) == 3
    assert second == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_damaged_secrets_are_reported(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")

    with (
        pytest.raises(CommandFailed, match=r"secrets\.json is damaged"),
        embedded_parts(settings(tmp_path, DATABASE_URL="postgresql://x/y"), command="run", say=print),
    ):
        raise AssertionError


def test_the_service_is_found_by_its_directory(tmp_path: Path) -> None:
    assert service_url(settings(tmp_path)) is None
    with DataDirectory(tmp_path).held(SERVICE):
        assert service_url(settings(tmp_path)) == "http://127.0.0.1:8001"
    with DataDirectory(tmp_path).held(Holder("relay", 12)), pytest.raises(CommandFailed, match="in use by `relay`"):
        service_url(settings(tmp_path))
