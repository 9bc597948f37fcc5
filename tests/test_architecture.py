"""Rules of the architecture that import-linter cannot check."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"
CORE_MAY_IMPORT = sys.stdlib_module_names | {"core", "msgspec"}
CLOCK_READINGS = {f"{of}.{reading}" for of in ("datetime", "date") for reading in ("now", "utcnow", "today")}
MEANINGLESS = {"services", "utils", "helpers", "dto", "dtos", "interfaces", "common", "mappers", "managers"}


def modules(folder: str) -> list[Path]:
    return sorted((SRC / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return file.relative_to(SRC).as_posix()


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def attributes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("file", modules("core"), ids=name_of)
def test_the_core_imports_only_the_standard_library_and_msgspec(file: Path) -> None:
    others = {name for name in imports(tree_of(file)) if name.partition(".")[0] not in CORE_MAY_IMPORT}
    assert others == set()


@pytest.mark.parametrize("file", modules("core"), ids=name_of)
def test_the_core_does_not_read_the_clock(file: Path) -> None:
    readings = {name for name in attributes(tree_of(file)) if name in CLOCK_READINGS}
    assert readings == set()


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        name_of(file)
        for folder in ("core", "adapters", "entrypoints")
        for file in modules(folder)
        if {"os.environ", "os.getenv"} & set(attributes(tree_of(file)))
    ]
    assert readers in ([], ["entrypoints/settings.py"])


def test_no_package_has_a_meaningless_name() -> None:
    packages = {file.parent.name for file in SRC.rglob("*.py")} | {file.stem for file in SRC.rglob("*.py")}
    assert packages & MEANINGLESS == set()


def test_every_folder_of_code_is_a_package() -> None:
    folders = {file.parent for file in SRC.rglob("*.py")} - {SRC}
    assert {name_of(folder) for folder in folders if not (folder / "__init__.py").exists()} == set()
