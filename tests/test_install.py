"""What is installed is what the locks say, whatever has been released since they were written.

Each lock is installed by the very commands of the Makefile and the Dockerfile, from an index on disk: every locked
package is in it as locked, with what it really requires, and in a later version as well. Only the hashes in the lock
are replaced.
"""

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import everything_in, locked, unused, version_of
from tests.support.processes import ROOT, environment

LOCKS = ("dev", "run", "production")
LATER = "99999"
"""The version that has been released since."""


class Index:
    """Wheels with nothing in them but what they require."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._hashes: dict[str, str] = {}

    def hash_of(self, locked: Requirement) -> str:
        """Of the locked version's wheel, which is made when it is asked for first, along with a later one."""
        if locked.name not in self._hashes:
            self._make(locked.name, LATER)
            self._hashes[locked.name] = self._make(locked.name, version_of(locked))
        return self._hashes[locked.name]

    def _make(self, name: str, version: str) -> str:
        stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
        lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *required_by(name)]
        content = {
            f"{stem}.dist-info/METADATA": "\n".join(lines) + "\n",
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = f"{stem}.dist-info/RECORD"
        hashes = {file: hashlib.sha256(text.encode()).digest() for file, text in content.items()}
        content[record] = "".join(
            f"{file},sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')},{len(content[file])}\n"
            for file, digest in hashes.items()
        )
        content[record] += f"{record},,\n"
        page = self.folder / canonicalize_name(name) / "index.html"
        page.parent.mkdir(exist_ok=True)
        wheel = page.with_name(f"{stem}-py3-none-any.whl")
        with page.open("a") as opened:
            opened.write(f"<a href={wheel.name}>{wheel.name}</a>")
        with ZipFile(wheel, "w") as zipped:
            for file, text in content.items():
                zipped.writestr(file, text)
        return hashlib.sha256(wheel.read_bytes()).hexdigest()


def required_by(name: str) -> Iterator[str]:
    """As the package that is installed here says it. What is for other systems alone is not installed."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return
    for field in ("Provides-Extra", "Requires-Dist"):
        yield from (f"{field}: {value}" for value in said.get_all(field, []))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return Index(tmp_path_factory.mktemp("index") / "wheels")


@pytest.fixture
def project(index: Index, tmp_path: Path) -> Path:
    """A folder in which `make` finds the locks, with the hashes of the index."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    for lock in LOCKS:
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        for package in everything_in(lock):
            start = re.escape(str(package).partition(";")[0].strip())
            lines = rf"(?m)^({start}(?: ;[^\\]*)?) \\\n(?: +--hash=\S+(?: \\)?\n)+"
            text, replaced = re.subn(lines, rf"\1 --hash=sha256:{index.hash_of(package)}\n", text)
            assert replaced == 1, package
        (tmp_path / "requirements" / f"{lock}.txt").write_text(text)
    return tmp_path


class Install(NamedTuple):
    """How a lock is installed."""

    command: list[str]
    """Of pip, without `pip` itself."""
    lock: str
    checked: bool
    """Whether `pip check` comes next."""


def install_of(steps: list[str]) -> Install:
    """The one among the commands."""
    words = [shlex.split(step) for step in steps]
    (place,) = (number for number, command in enumerate(words) if "install" in command)
    options = words[place][words[place].index("install") :]
    lock = options.index("-r") + 1
    of_pip = words[place].index("pip") + 1
    checked = any("check" in step and step[:of_pip] == words[place][:of_pip] for step in words[place + 1 :])
    return Install(options[: lock - 1], options[lock], checked)


def made(target: str, project: Path) -> Install:
    """As `make` does it."""
    command = ["make", "--dry-run", f".venv/.{target}.stamp"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    steps = [line for line in done.stdout.splitlines() if "-m pip " in line]
    return install_of([step.partition(" || ")[0] for step in steps])


def built(stage: str) -> Install:
    """As the Dockerfile does it for the dependencies of a stage."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    instructions = text.partition(f"AS {stage}-dependencies\n")[2].partition("\nFROM ")[0]
    ((source, copy),) = re.findall(r"^COPY (requirements/\S+) (\S+)$", instructions, re.MULTILINE)
    (command,) = re.findall(r"^RUN (.*)$", instructions, re.MULTILINE)
    install = install_of([step for step in command.split("&&") if "pip " in step and "venv " not in step])
    assert install.lock == copy
    return install._replace(lock=source)


def pip(*arguments: str, project: Path, index: Index) -> dict[str, str]:
    """What pip would install, version by name, where the only packages are those of the index."""
    report = project / "report.json"
    command = [sys.executable, "-m", "pip", *arguments, "--dry-run", "--ignore-installed", "--report", str(report)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_INDEX_URL": index.folder.as_uri(),
    }
    done = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    packages = [package["metadata"] for package in json.loads(report.read_text())["install"]]
    return {canonicalize_name(package["name"]): package["version"] for package in packages}


def versions(lock: str) -> dict[str, str]:
    return {canonicalize_name(package.name): version_of(package) for package in locked(lock)}


def test_make_installs_the_locked_versions(project: Path, index: Index) -> None:
    install = made("dev", project)

    assert (install.lock, install.checked) == ("requirements/dev.txt", True)
    assert pip(*install.command, "-r", install.lock, project=project, index=index) == versions("dev")
    assert made("run", project) == install._replace(lock="requirements/run.txt")


def test_a_changed_lock_is_installed_with_the_test_packages(project: Path) -> None:
    """Else one of those might not go with a version that the service has now."""
    (project / ".venv").mkdir()
    (project / ".venv/.dev.stamp").touch()

    assert made("run", project).lock == "requirements/dev.txt"


@pytest.mark.parametrize(
    ("stage", "lock", "checked"), [("production", "production", False), ("development", "run", True)]
)
def test_the_production_image_has_the_locked_versions(
    stage: str, lock: str, checked: bool, project: Path, index: Index
) -> None:
    install = built(stage)

    assert (install.lock, install.checked) == (f"requirements/{lock}.txt", checked)
    assert pip(*install.command, "-r", install.lock, project=project, index=index) == versions(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_contains_all_requirements(lock: str) -> None:
    """Extras included: what a lock does not pin pip takes in its latest version, or refuses because of the hashes."""
    pinned = {canonicalize_name(package.name): package for package in locked(lock)}
    left_out = unused() if lock == "production" else set()
    missing = [
        f"{required} of {package.name}"
        for package in pinned.values()
        for required in map(Requirement, requires(package.name) or [])
        if needed(required, package.extras)
        and canonicalize_name(required.name) not in left_out
        and not satisfied(required, pinned.get(canonicalize_name(required.name)))
    ]
    assert missing == []
    assert not left_out & pinned.keys()


def test_production_works_with_its_locked_packages(tmp_path: Path) -> None:
    """Every module of the service is imported, and the app made, where no other package can be imported."""
    for package in locked("production"):
        installed = distribution(package.name)
        for name in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            if not (tmp_path / name).exists():  # packages of Google share a folder
                (tmp_path / name).symlink_to(str(installed.locate_file(name)))
    paths = {"PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])}
    command = [sys.executable, "-S", "-m", "tests.support.production"]
    done = subprocess.run(command, env=paths, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "made\n"), done.stderr


def test_the_sbom_lists_the_production_lock(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "requirements").symlink_to(ROOT / "requirements")
    for file in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    recipe = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--assume-old", ".venv/.dev.stamp", "sbom"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(recipe.stdout, shell=True, cwd=tmp_path, check=True)

    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "style-license")
    components = {(component["name"], component["version"]) for component in bill["components"]}
    assert components == {(package.name, version_of(package)) for package in everything_in("production")}
    assert all(reference["hashes"] for component in bill["components"] for reference in component["externalReferences"])


def needed(required: Requirement, extras: set[str]) -> bool:
    return not required.marker or any(required.marker.evaluate({"extra": extra}) for extra in extras or {""})


def satisfied(required: Requirement, pinned: Requirement | None) -> bool:
    return pinned is not None and version_of(pinned) in required.specifier and required.extras <= pinned.extras


def test_pip_resolves_a_lock_to_the_same_versions(project: Path, index: Index) -> None:
    """For who installs it with another command."""
    install = ("install", "--quiet", "--require-hashes", "-r", "requirements/dev.txt")
    assert pip(*install, project=project, index=index) == versions("dev")


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_contain_no_host_names(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
