"""Whatever can be wrong with a field is told in Korean as well."""

import ast
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from core.accounts.model import USERNAME_RULE
from core.ports.blob_store import ForeignBlob
from entrypoints.http.details import KOREAN, details_in_korean, in_korean
from tests.entrypoints.service import Service
from tests.support.world import MemoryWorld

SOURCES = [
    file for room in ("core", "entrypoints/http") for file in (Path(__file__).parents[2] / "src" / room).rglob("*.py")
]
REFUSALS = {"ValidationError", "InvalidPicture"}
"""Whose arguments are texts by field."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text that is told of a field, 7 in the place of what is filled in, and where it stands."""
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            for text in told_by(node):
                yield text, f"{file.name}:{getattr(node, 'lineno', 0)}"


def told_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
        for argument in [*node.args[1:], *(keyword.value for keyword in node.keywords)]:
            values = argument.values if isinstance(argument, ast.Dict) else [argument]
            if isinstance(argument, ast.Call):  # dict.fromkeys(fields, text)
                values = argument.args[1:]
            yield from (text for value in values if (text := as_text(value)))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        place = node.targets[0].value
        if isinstance(place, ast.Name) and place.id == "problems" and (text := as_text(node.value)):
            yield text
    if isinstance(node, ast.DictComp | ast.NamedExpr) and isinstance(getattr(node, "value", None), ast.Constant):
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.endswith("."):
            yield value.value
    if isinstance(node, ast.FunctionDef) and node.name.startswith("problem_of"):
        returned = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
        yield from (text for value in returned if (text := as_text(value)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
        for keyword in node.keywords:
            values = keyword.value.values if isinstance(keyword.value, ast.Dict) else [keyword.value]
            if keyword.arg in {"details", "cursor"}:
                yield from (text for value in values if (text := as_text(value)))


def as_text(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return None


TEXTS = dict(texts())


def test_texts_are_found_wherever_they_stand() -> None:
    assert {
        "At most 7 characters.",  # problems[...] = f"..."
        "This field is required.",  # ValidationError(name="...")
        "Not a complete JPEG or PNG image.",  # InvalidPicture(field, "...")
        "This field can be given once only.",  # dict.fromkeys(...)
        "A file is needed.",  # a dict comprehension
        "7 is not such a tag.",  # details={field: f"..."}
        "This cursor was not issued by this service.",
        "At least one visible character is needed.",  # problem_of_name(...)
    } <= TEXTS.keys()


@pytest.mark.parametrize("text", sorted({*TEXTS, USERNAME_RULE, ForeignBlob.message}))
def test_every_text_has_a_korean_one(text: str) -> None:
    assert in_korean(text) != text, TEXTS.get(text)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (int, "5"),
        (int | None, "5"),
        (list[str], "a"),
        (Annotated[int, Meta(ge=1)], 0),
        (Annotated[int, Meta(le=1)], 2),
        (Annotated[int, Meta(gt=1)], 1),
        (Annotated[int, Meta(lt=1)], 1),
        (Annotated[str, Meta(min_length=1)], ""),
        (Annotated[str, Meta(max_length=1)], "ab"),
        (Annotated[list[int], Meta(max_length=1)], [1, 2]),
        (Annotated[str, Meta(pattern="a+")], "b"),
        (Annotated[datetime, Meta(tz=True)], "2026-01-01T00:00:00"),
        (datetime, "yesterday"),
        (Colour, "blue"),
    ],
)
def test_what_msgspec_says_has_a_korean_text(type_: Any, value: object) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, type_)
    for text in (str(refused.value), f"{refused.value}."):
        assert in_korean(text) != text


@pytest.mark.parametrize("english", KOREAN)
def test_each_text_has_its_own(english: str) -> None:
    assert in_korean(english.format(7, 8)) == KOREAN[english].format(7, 8)


def test_what_is_filled_in_stays() -> None:
    assert in_korean("One per image: 3, not 2.") == "이미지마다 하나씩 필요합니다: 3개인데 2개가 왔습니다."
    assert details_in_korean({"file": "cat.png", "index": 3, "more": {"a": 1}}) == {
        "file": "cat.png",
        "index": 3,
        "more": {"a": 1},
    }
    assert all(korean.count("{}") == english.count("{}") for english, korean in KOREAN.items())


async def test_details_are_told_in_the_language_asked_for(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        for language, text in (("en", "At most 500 characters."), ("ko", "최대 500자까지 가능합니다.")):
            response = await browser.patch(
                "/api/users/me", json={"bio": "x" * 501}, headers={"Accept-Language": language}
            )
            assert response.json()["error"]["details"] == {"bio": text}
