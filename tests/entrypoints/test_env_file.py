"""Settings in a file `.env`."""

import os
from pathlib import Path

import pytest

from entrypoints.settings import SettingsError, environment, read_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One to write an `.env` into, where nothing is in the environment."""
    monkeypatch.setattr(os, "environ", {})
    return tmp_path


def test_the_environment_overrides_the_file_even_when_empty(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("PORT=8001\nHOST=localhost\nDATA_DIR=elsewhere\n")
    monkeypatch.setattr(os, "environ", {"HOST": "127.0.0.2", "DATA_DIR": ""})

    settings = read_settings(environment(folder))

    assert (settings.port, settings.host, settings.data_dir) == (8001, "127.0.0.2", Path(".data"))


def test_the_env_file_supports_common_syntax(folder: Path) -> None:
    text = """\ufeff# a comment
export PORT = 8001

SECRET_KEY='a # b'
RABBITMQ_PASS=p$word${HOME}
DATABASE_URL="postgresql://user:p#w@host/db"  # ours
GCS_BUCKET_NAME=
"""
    (folder / ".env").write_text(text, encoding="utf-8")

    assert (
        environment(folder).items()
        >= {
            "PORT": "8001",
            "SECRET_KEY": "a # b",
            "RABBITMQ_PASS": "p$word${HOME}",
            "DATABASE_URL": "postgresql://user:p#w@host/db",
            "GCS_BUCKET_NAME": "",
        }.items()
    )


def test_a_missing_env_file_is_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PORT": "8001"})

    assert environment(folder) == dict(os.environ)
    assert environment(folder)["PORT"] == "8001"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"PORT=1\nHOST\n", "line 2, is not NAME=value"),
        (b"PORT=1\n\n= 3\n", "line 3, is not NAME=value"),
        (b'SECRET_KEY="open\n', "line 1, is not NAME=value"),
        (b"SECRET_KEY=caf\xe9\n", "cannot be read"),
    ],
)
def test_a_malformed_env_file_is_refused(folder: Path, content: bytes, wrong: str) -> None:
    (folder / ".env").write_bytes(content)

    with pytest.raises(SettingsError, match=wrong):
        environment(folder)


def test_an_env_file_that_is_a_folder_is_refused(folder: Path) -> None:
    (folder / ".env").mkdir()

    with pytest.raises(SettingsError, match="cannot be read"):
        environment(folder)
