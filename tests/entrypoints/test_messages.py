"""Messages: every code has one in each language, and nothing else is in the catalogues."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from string import Formatter
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

import adapters
import core
import entrypoints
from core import problems
from core.errors import DomainError, ValidationError
from core.ports.database import DatabaseUnavailable
from core.problems import Problem, too_long
from core.styles.errors import ImageSizeExceeded
from core.styles.model import License
from core.terms import TERMS_VERSION
from entrypoints.http import errors
from entrypoints.http import problems as http_problems
from entrypoints.http.problems import INVALID_VALUE, MSGSPEC, problem_of_msgspec
from entrypoints.messages import ENGLISH, KOREAN, Catalogue, for_operators
from tests.entrypoints.service import Service
from tests.support.memory_world import MemoryWorld

CATALOGUES = {"English": ENGLISH, "Korean": KOREAN}


def refusals() -> set[type[DomainError]]:
    """All kinds of refusal in the source that can be raised."""
    for package in (core, adapters, entrypoints):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    kinds, left = set[type[DomainError]](), [DomainError]
    while left:
        below = left.pop().__subclasses__()
        kinds.update(below)
        left += below
    ours = {kind for kind in kinds if kind.__module__.partition(".")[0] in {"core", "adapters", "entrypoints"}}
    return {kind for kind in ours if hasattr(kind, "code")}


REFUSALS = refusals()


def declared_problems() -> Iterator[tuple[str, set[str]]]:
    """Codes of problems, and the names of their values."""
    for module in (problems, http_problems):
        yield from problems_of(module)
    for code, pattern in MSGSPEC.items():
        yield code, set(pattern.groupindex)


def problems_of(module: ModuleType) -> Iterator[tuple[str, set[str]]]:
    for name, found in vars(module).items():
        if isinstance(found, Problem):
            yield found.code, set(found.values)
        elif inspect.isfunction(found) and found is not problem_of_msgspec:
            made = found(**{parameter: parameter for parameter in inspect.signature(found).parameters})
            assert isinstance(made, Problem), name
            yield made.code, set(made.values)


PROBLEMS = dict(declared_problems())


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_error_and_problem_codes_are_collected() -> None:
    assert {ValidationError, ImageSizeExceeded, errors.BodyRequired} <= REFUSALS
    assert {"TOO_LONG", "UNKNOWN_FIELD", "WRONG_TYPE"} <= PROBLEMS.keys()


@pytest.mark.parametrize("catalogue", CATALOGUES.values(), ids=CATALOGUES)
def test_every_code_has_a_message_and_every_message_a_code(catalogue: Catalogue) -> None:
    codes = {code for kind in REFUSALS for code in (kind.code, kind.message_code) if code}
    assert codes | set(errors.FRAMEWORK.values()) | {errors.INTERNAL} == catalogue.errors.keys()
    assert PROBLEMS.keys() == catalogue.problems.keys()


@pytest.mark.parametrize("catalogue", CATALOGUES.values(), ids=CATALOGUES)
def test_messages_use_existing_values(catalogue: Catalogue) -> None:
    assert {code: placeholders(template) for code, template in catalogue.problems.items()} == PROBLEMS
    named = {code: found for code, template in catalogue.errors.items() if (found := placeholders(template))}
    assert named == {"NOT_ONE_USER": {"found", "who"}}


def test_each_language_has_its_own_texts() -> None:
    for english, korean in ((ENGLISH.errors, KOREAN.errors), (ENGLISH.problems, KOREAN.problems)):
        assert [code for code in english if english[code] == korean[code]] == []
        assert all(text.isascii() and text.endswith((".", ",...")) for text in english.values())
        assert all(any("가" <= character <= "힣" for character in text) for text in korean.values())


def test_each_language_has_all_versions_of_the_terms() -> None:
    texts = {"rights", *(license.value for license in License)}
    for terms in (ENGLISH.terms, KOREAN.terms):
        assert set(terms) == set(range(1, TERMS_VERSION + 1))
        assert all(version.keys() == texts for version in terms.values())
    assert all(text.isascii() for version in ENGLISH.terms.values() for text in version.values())
    assert not any(text.isascii() for version in KOREAN.terms.values() for text in version.values())


async def test_the_terms_follow_accept_language(service: Service) -> None:
    async with service.browser() as browser:
        for language, catalogue in (("en", ENGLISH), ("ko", KOREAN)):
            response = await browser.client.get("/api/terms", headers={"Accept-Language": language})
            newest = response.json()["data"][0]
            texts = catalogue.terms[TERMS_VERSION]
            assert (newest["version"], newest["rights"]) == (TERMS_VERSION, texts["rights"])
            assert newest["licenses"][0] == {"type": "personal", "text": texts["personal"]}
            assert response.headers["vary"] == "Accept-Language"


def test_codes_are_upper_case_and_sorted() -> None:
    for catalogue in CATALOGUES.values():
        assert all(re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)*", code) for code in catalogue.errors | catalogue.problems)
        assert list(catalogue.errors) == sorted(catalogue.errors)
        assert list(catalogue.problems) == sorted(catalogue.problems)


class Colour(Enum):
    RED = "red"


class Box(msgspec.Struct, forbid_unknown_fields=True):
    side: int


@pytest.mark.parametrize(
    ("type_", "value", "problem"),
    [
        (int, "5", Problem("WRONG_TYPE", {"expected": "int", "received": "str"})),
        (int | None, "5", Problem("WRONG_TYPE", {"expected": "int | null", "received": "str"})),
        (Annotated[int, Meta(ge=1)], 0, Problem("BELOW_MINIMUM", {"type": "int", "minimum": "1"})),
        (Annotated[float, Meta(ge=0.5)], 0.0, Problem("BELOW_MINIMUM", {"type": "float", "minimum": "0.5"})),
        (Annotated[int, Meta(le=1)], 2, Problem("ABOVE_MAXIMUM", {"type": "int", "maximum": "1"})),
        (Annotated[float, Meta(gt=1)], 1.0, Problem("NOT_GREATER", {"type": "float", "bound": "1.0"})),
        (Annotated[float, Meta(lt=1)], 1.0, Problem("NOT_LESS", {"type": "float", "bound": "1.0"})),
        (Annotated[str, Meta(min_length=1)], "", Problem("LENGTH_BELOW_MINIMUM", {"type": "str", "minimum": "1"})),
        (Annotated[str, Meta(max_length=1)], "ab", Problem("LENGTH_ABOVE_MAXIMUM", {"type": "str", "maximum": "1"})),
        (
            Annotated[list[int], Meta(max_length=0)],
            [1],
            Problem("LENGTH_ABOVE_MAXIMUM", {"type": "array", "maximum": "0"}),
        ),
        (Annotated[str, Meta(pattern="^a`$")], "b", Problem("PATTERN_MISMATCH", {"type": "str", "pattern": "'^a`$'"})),
        (Annotated[datetime, Meta(tz=True)], "2026-01-01T00:00:00", Problem("NO_TIME_ZONE", {"type": "datetime"})),
        (int, "9" * 5000, Problem("WRONG_TYPE", {"expected": "int", "received": "str"})),
        (datetime, "yesterday", Problem("INVALID_DATETIME")),
        (date, "yesterday", Problem("INVALID_DATE")),
        (Colour, "blue\n", Problem("UNKNOWN_VALUE", {"value": r"'blue\n'"})),
        (Box, {}, Problem("MISSING_FIELD", {"field": "side"})),
        (Box, {"side": 1, "top": 2}, Problem("UNEXPECTED_FIELD", {"field": "top"})),
        (bytes, "?", INVALID_VALUE),
    ],
    ids=repr,
)
def test_msgspec_errors_become_problems(type_: Any, value: object, problem: Problem) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, type_)
    assert problem_of_msgspec(str(refused.value)) == problem
    if problem != INVALID_VALUE:
        assert ENGLISH.problem(problem) == f"{refused.value}."


def test_other_details_are_kept() -> None:
    assert KOREAN.details({"file": "cat.png", "index": 3, "bio": too_long(7)}) == {
        "file": "cat.png",
        "index": 3,
        "bio": "최대 7자까지 가능합니다.",
    }


def test_a_field_can_be_named_like_a_parameter() -> None:
    refusal = ValidationError(self=INVALID_VALUE, code=INVALID_VALUE, error=INVALID_VALUE)
    assert ENGLISH.message_of(refusal) == "Some fields are not valid."


def test_operators_see_the_reason() -> None:
    assert for_operators(DatabaseUnavailable()) == "The database is unavailable."
    assert for_operators(DatabaseUnavailable(reason="no route")) == "The database is unavailable: no route"


async def test_details_follow_accept_language(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        for language, long, typed in (
            ("en", "At most 500 characters.", "Expected `str`, got `int`."),
            ("ko", "최대 500자까지 가능합니다.", "`str` 형식이어야 하지만 `int` 형식입니다."),
        ):
            for bio, text in (("x" * 501, long), (5, typed)):
                response = await browser.patch(
                    "/api/users/me", json={"bio": bio}, headers={"Accept-Language": language}
                )
                assert response.json()["error"]["details"] == {"bio": text}


@pytest.mark.parametrize(
    ("language", "text"), [("en", "Expected `int` <= 100."), ("ko", "`int` 값은 100 이하여야 합니다.")]
)
async def test_details_of_query_parameters_follow_accept_language(service: Service, language: str, text: str) -> None:
    async with service.browser() as browser:
        response = await browser.client.get("/api/styles?limit=101", headers={"Accept-Language": language})
    assert response.json()["error"]["details"] == {"limit": text}


@pytest.mark.parametrize(
    ("content", "language", "text"),
    [
        (b"", "en", "A request body is required."),
        (b"[]", "en", "A JSON object is required."),
        (b"[]", "ko", "JSON 객체가 필요합니다."),
        (b"{", "en", "The body cannot be read."),
    ],
)
async def test_a_code_can_have_a_more_specific_message(
    service: Service, world: MemoryWorld, content: bytes, language: str, text: str
) -> None:
    headers = {"Content-Type": "application/json", "Accept-Language": language}
    async with service.browser(await world.user("ann")) as browser:
        response = await browser.call("POST", "/api/generations", content=content, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["message"]) == (400, "MALFORMED_BODY", text)
