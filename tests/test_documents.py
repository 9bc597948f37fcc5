"""The documents are true, where that can be checked."""

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest

from entrypoints.settings import SettingsError, environment, read_settings
from tests.entrypoints.service import Service
from tests.support import licenses
from tests.support.memory_world import MemoryWorld

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
DEVELOPMENT = (ROOT / "docs/development.md").read_text()
CONTRIBUTING = (ROOT / "docs/contributing.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


class RecordedEnvironment(dict[str, str]):
    """An environment that records which variables are read."""

    def __init__(self, production: bool) -> None:
        super().__init__({"APP_ENV": "production"} if production else {})
        self.read: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.read.add(name)
        return super().get(name, "something")  # variables that depend on another one are read, too


@pytest.fixture(scope="module")
def variables() -> set[str]:
    """All variables that the settings read."""
    read: set[str] = set()
    for production in (False, True):
        environment = RecordedEnvironment(production)
        with pytest.raises(SettingsError):
            read_settings(environment)
        read |= environment.read
    return read


@pytest.fixture(scope="module")
def required() -> set[str]:
    """Variables that must be set in production."""
    with pytest.raises(SettingsError) as refused:
        read_settings({"APP_ENV": "production"})
    return {problem.partition(" is missing")[0] for problem in refused.value.problems if " is missing" in problem}


def rows(document: str, heading: str) -> Iterator[list[str]]:
    """The rows of the table below a heading."""
    section = document.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_the_readme_lists_exactly_the_variables_that_are_read(variables: set[str]) -> None:
    assert {row[0].strip("`") for row in rows(README, "Configuration")} == variables


def test_the_readme_marks_what_production_requires(required: set[str]) -> None:
    assert {row[0].strip("`") for row in rows(README, "Configuration") if row[2].startswith("*required*")} == required


def test_the_example_environment_lists_exactly_the_variables_that_are_read(variables: set[str]) -> None:
    assert set(re.findall(r"^(\w+)=", ENV_EXAMPLE, re.MULTILINE)) == variables


def test_the_example_environment_marks_what_production_requires(required: set[str]) -> None:
    marked: set[str] = set()
    for paragraph in ENV_EXAMPLE.split("\n#"):
        if paragraph.startswith(" *"):
            marked |= set(re.findall(r"^(\w+)=", paragraph, re.MULTILINE))
    assert required <= marked


def test_the_example_environment_equals_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(ENV_EXAMPLE)
    monkeypatch.setattr(os, "environ", {})
    assert read_settings(environment(tmp_path)) == read_settings({})


def test_documented_commands_are_those_of_the_makefile() -> None:
    described = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert {row[0].strip("`").removeprefix("make ") for row in rows(DEVELOPMENT, "Commands")} == described - {"help"}


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_make_targets_in_documents_exist(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    code = re.findall(r"```.*?```|`[^`]+`", file.read_text(), re.DOTALL)
    assert {target for part in code for target in re.findall(r"\bmake ([a-z-]+)", part)} <= targets


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_links_have_targets(file: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        found = file.parent / target if target else file
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(link)
    assert broken == []


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_files_named_in_documents_exist(file: Path) -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|md|toml|txt|yml|svg)|\w[\w/]+/)`", file.read_text())
    places = (ROOT, ROOT / "src", ROOT / "src/core", ROOT / "src/adapters", ROOT / "src/entrypoints", file.parent)
    anywhere = {path.name for path in (ROOT / "src").rglob("*.py")}
    in_storage = {"public/", "samples/", "training/", "signatures/", "uploads/", ".data/"}
    assert {
        name
        for name in named
        if name not in anywhere | in_storage and not any((place / name).exists() for place in places)
    } == set()


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_paths_of_the_api_in_documents_exist(file: Path) -> None:
    routes = {re.sub(r"\{[^}]*\}", "{}", route.path).rstrip("/") for route in Service(MemoryWorld()).app.routes}
    named = {path for found in re.findall(r"(/api/[\w/{},.-]*[\w/}])", file.read_text()) for path in expanded(found)}
    assert named - routes == set()


def expanded(path: str) -> Iterator[str]:
    """`/a/{b,c}` is two paths, `/a/{id}` one with a parameter."""
    parts = re.split(r"\{([^}]*)\}", path.rstrip("/"))
    choices = [part.split(",") if "," in part else ["{}"] for part in parts[1::2]]
    for chosen in product(*choices):
        yield "".join(text + choice for text, choice in zip(parts[::2], (*chosen, ""), strict=True))


def test_documented_ledger_rules_exist_in_the_schema() -> None:
    schema = "".join(file.read_text() for file in (ROOT / "migrations/versions").glob("*.py"))
    tables = "transfers|generations|accounts|balance_deltas|withdrawals"
    kept_by = re.findall(rf"`((?:ck|uq|fk|{tables})_\w+)`", (ROOT / "docs/money.md").read_text())
    assert len(kept_by) >= 6
    assert {name for name in kept_by if name not in schema} == set()


def quotes() -> Iterator[tuple[str, list[str]]]:
    """The files that the worked example quotes, each with its runs of consecutive lines."""
    for name, text in re.findall(r"```python\n# (\S+)\n(.*?)```", CONTRIBUTING, re.DOTALL):
        yield name, re.split(r"^ *\.\.\.\n", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("name", "runs"), [pytest.param(*quote, id=quote[0]) for quote in quotes()])
def test_the_worked_example_is_quoted_from_the_code(name: str, runs: list[str]) -> None:
    lines = (ROOT / name).read_text().splitlines()
    start = 0
    for run in runs:
        quoted = dedent(run).splitlines()
        windows = ((at + len(quoted), lines[at : at + len(quoted)]) for at in range(start, len(lines)))
        end = next((end for end, window in windows if dedent("\n".join(window)).splitlines() == quoted), None)
        assert end is not None, f"not in {name}, or in another order:\n{run}"
        start = end


def test_licenses_md_lists_the_production_packages() -> None:
    assert licenses.FILE.read_text() == licenses.render(), "run `make licenses`"


def test_no_licence_requires_publishing_the_source() -> None:
    assert not re.search(r"\bA?GPL|General Public|UNKNOWN", licenses.FILE.read_text())
