import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.secret import Secret
from entrypoints.data_directory import UNKNOWN, DataDirectory, Holder
from tests.support.processes import NOWHERE, environment

SERVICE = Holder("run", os.getpid(), "http://127.0.0.1:8001", Secret("postgresql://user:password@host/database"))


def test_the_holder_is_readable_until_release(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")

    assert directory.holder() is None
    with directory.held(SERVICE) as held:
        assert held
        assert DataDirectory(tmp_path / "data").holder() == SERVICE
    assert directory.holder() is None
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["lock"]


def test_one_process_holds_the_directory(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.held(SERVICE), directory.held(Holder("maintenance", 1)) as held:
        assert not held
        assert directory.holder() == SERVICE

    assert directory.holder() is None


def test_the_holder_can_publish_details(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.held(Holder("run", 1)):
        directory.describe(SERVICE)

        assert directory.holder() == SERVICE


def test_the_lock_file_is_private(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with directory.held(SERVICE):
        assert directory.path.stat().st_mode & 0o777 == 0o700
        assert (directory.path / "running.json").stat().st_mode & 0o777 == 0o600


def test_the_entry_of_a_killed_process_is_ignored(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from entrypoints.data_directory import *\n"
        "with DataDirectory(pathlib.Path(sys.argv[1])).held(Holder('run', 1, 'http://127.0.0.1:8001')):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, env=environment(), cwd=NOWHERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        held = DataDirectory(tmp_path).holder()
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert held is not None
    assert held.api_base_url == "http://127.0.0.1:8001"
    assert (tmp_path / "running.json").exists()
    assert DataDirectory(tmp_path).holder() is None
    with DataDirectory(tmp_path).held(SERVICE) as again:
        assert again
        assert DataDirectory(tmp_path).holder() == SERVICE


@pytest.mark.parametrize("content", [None, b"", b'{"pid": "x"}'])
def test_an_unnamed_holder_is_another_process(tmp_path: Path, content: bytes | None) -> None:
    directory = DataDirectory(tmp_path)
    with directory.held(SERVICE):
        (tmp_path / "running.json").unlink()
        if content is not None:
            (tmp_path / "running.json").write_bytes(content)

        assert directory.holder() == Holder(UNKNOWN, 0)


def test_the_description_of_a_holder() -> None:
    assert str(Holder("maintenance", 12)) == "`maintenance` (process 12)"
    assert str(Holder(UNKNOWN, 0)) == "another process"
