"""What the documents say is true, where that can be checked."""

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from entrypoints.settings import SettingsError, environment, read_settings
from tests.entrypoints.service import Service
from tests.support.world import MemoryWorld

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


class Watched(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, production: bool) -> None:
        super().__init__({"APP_ENV": "production"} if production else {})
        self.asked: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, "something")  # so that what depends on another variable is asked for, too


@pytest.fixture(scope="module")
def variables() -> set[str]:
    """All that the settings read."""
    asked: set[str] = set()
    for production in (False, True):
        environment = Watched(production)
        with pytest.raises(SettingsError):
            read_settings(environment)
        asked |= environment.asked
    return asked


@pytest.fixture(scope="module")
def required() -> set[str]:
    """What production cannot do without."""
    with pytest.raises(SettingsError) as refused:
        read_settings({"APP_ENV": "production"})
    return {problem.partition(" is missing")[0] for problem in refused.value.problems if " is missing" in problem}


def rows(heading: str) -> Iterator[list[str]]:
    """The rows of the README's table below a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_the_readme_names_every_variable_and_no_other(variables: set[str]) -> None:
    assert {row[0].strip("`") for row in rows("Configuration")} == variables


def test_the_readme_marks_what_production_requires(required: set[str]) -> None:
    assert {row[0].strip("`") for row in rows("Configuration") if row[2].startswith("*required*")} == required


def test_the_example_environment_names_every_variable_and_no_other(variables: set[str]) -> None:
    assert set(re.findall(r"^(\w+)=", ENV_EXAMPLE, re.MULTILINE)) == variables


def test_the_example_environment_marks_what_production_requires(required: set[str]) -> None:
    marked: set[str] = set()
    for paragraph in ENV_EXAMPLE.split("\n#"):
        if paragraph.startswith(" *"):
            marked |= set(re.findall(r"^(\w+)=", paragraph, re.MULTILINE))
    assert required <= marked


def test_the_example_environment_is_what_holds_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(ENV_EXAMPLE)
    monkeypatch.setattr(os, "environ", {})
    assert read_settings(environment(tmp_path)) == read_settings({})


def test_the_readme_names_every_command_and_no_other() -> None:
    explained = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert {row[0].strip("`").removeprefix("make ") for row in rows("Commands")} == explained - {"help"}


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_what_is_to_be_made_can_be_made(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    code = re.findall(r"```.*?```|`[^`]+`", file.read_text(), re.DOTALL)
    assert {target for part in code for target in re.findall(r"\bmake ([a-z-]+)", part)} <= targets


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(file: Path) -> None:
    astray = []
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        found = file.parent / target if target else file
        if not found.exists() or (anchor and anchor not in anchors(found)):
            astray.append(link)
    assert astray == []


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_files_that_are_named_are_there(file: Path) -> None:
    text = re.sub(r"\n## Adding a capability\n.*?(?=\n## |\Z)", "", file.read_text(), flags=re.DOTALL)  # an example
    named = re.findall(r"`([\w./-]+\.(?:py|md|toml|txt|yml|svg)|\w[\w/]+/)`", text)
    places = (ROOT, ROOT / "src", ROOT / "src/core", ROOT / "src/adapters", ROOT / "src/entrypoints", file.parent)
    anywhere = {path.name for path in (ROOT / "src").rglob("*.py")}
    in_storage = {"public/", "samples/", "training/", "signatures/", ".data/"}
    assert {
        name
        for name in named
        if name not in anywhere | in_storage and not any((place / name).exists() for place in places)
    } == set()


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_calls_that_are_named_can_be_made(file: Path) -> None:
    routes = {re.sub(r"\{[^}]*\}", "{}", route.path).rstrip("/") for route in Service(MemoryWorld()).app.routes}
    named = {path for found in re.findall(r"(/api/[\w/{},.-]*[\w/}])", file.read_text()) for path in expanded(found)}
    assert named - routes == set()


def expanded(path: str) -> Iterator[str]:
    """`/a/{b,c}` is two paths, `/a/{id}` one with a parameter."""
    parts = re.split(r"\{([^}]*)\}", path.rstrip("/"))
    choices = [part.split(",") if "," in part else ["{}"] for part in parts[1::2]]
    for chosen in product(*choices):
        yield "".join(text + choice for text, choice in zip(parts[::2], (*chosen, ""), strict=True))


def test_the_rules_of_the_ledger_are_in_the_schema() -> None:
    schema = "".join(file.read_text() for file in (ROOT / "migrations/versions").glob("*.py"))
    tables = "transfers|generations|accounts|balance_deltas|withdrawals"
    kept_by = re.findall(rf"`((?:ck|uq|fk|{tables})_\w+)`", (ROOT / "docs/money.md").read_text())
    assert len(kept_by) >= 6
    assert {name for name in kept_by if name not in schema} == set()
