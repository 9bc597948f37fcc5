"""Request bodies and queries that are refused in the same way by every route."""

from typing import Any

import pytest

from tests.entrypoints.refusals import refusal
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"bio": nope}', b"[" * 10_000])
async def test_malformed_json_is_refused(service: Service, world: MemoryWorld, body: bytes) -> None:
    async with service.browser(await world.user(tokens=10)) as browser:
        for method, path in (("PATCH", "/api/users/me"), ("POST", "/api/generations")):
            response = await browser.call(method, path, content=body, headers={"Content-Type": "application/json"})
            assert refusal(response) == (400, "MALFORMED_BODY", None)


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true"])
async def test_json_that_is_not_an_object_is_refused(service: Service, world: MemoryWorld, body: str) -> None:
    async with service.browser(await world.user()) as browser:
        for method, path in (("PATCH", "/api/users/me"), ("POST", "/api/generations")):
            response = await browser.call(method, path, content=body, headers={"Content-Type": "application/json"})
            assert refusal(response) == (400, "MALFORMED_BODY", None)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_another_content_type_is_refused(service: Service, world: MemoryWorld, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    async with service.browser(await world.artist()) as browser:
        for method, path in (
            ("PATCH", "/api/users/me"),
            ("POST", "/api/users/me/upgrade-to-artist"),
            ("POST", "/api/generations"),
            ("POST", "/api/styles"),
        ):
            response = await browser.call(method, path, content=b"a=b", headers=headers)
            assert refusal(response) == (415, "UNSUPPORTED_MEDIA_TYPE", None)


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
async def test_a_too_large_body_is_refused(service: Service, world: MemoryWorld, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * 1024 * 1024

    headers = {"Content-Type": "application/json"}
    async with service.browser(await world.user()) as browser:
        for method, path, size in (("POST", "/api/generations", 2), ("PATCH", "/api/users/me", 8)):
            content = b" " * size * 1024 * 1024 if declared else chunks()
            response = await browser.call(method, path, content=content, headers=headers)
            assert refusal(response) == (413, "PAYLOAD_TOO_LARGE", None)


async def test_all_invalid_fields_are_named(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        response = await browser.post(
            "/api/generations",
            json={"style_id": "5", "prompt_tags": ["cat", 5], "aspect_ratio": "3:1", "seed": 1.5},
        )
    status, code, details = refusal(response)
    assert (status, code) == (422, "VALIDATION_ERROR")
    assert details == {
        "style_id": "Expected `int`, got `str`.",
        "prompt_tags.1": "Expected `str`, got `int`.",
        "aspect_ratio": "Invalid enum value '3:1'.",
        "seed": "Expected `int | null`, got `float`.",
    }


async def test_missing_and_unknown_fields_are_named(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        missing = await browser.post("/api/generations", json={})
        unknown = await browser.patch("/api/users/me", json={"role": "admin"})
    assert refusal(missing)[2] == {"style_id": "This field is required.", "prompt_tags": "This field is required."}
    assert refusal(unknown) == (422, "VALIDATION_ERROR", {"role": "Unknown field."})


async def test_unstorable_text_is_refused(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        body = {"style_id": 1, "prompt_tags": ["cat", "do\0g"], "description": "fine"}
        assert refusal(await browser.post("/api/generations", json=body))[2] == {
            "prompt_tags.1": "Text cannot contain the character NUL."
        }
        body = {"style_id": 1, "prompt_tags": ["cat"], "description": "a backslash: \\u0000"}
        assert refusal(await browser.post("/api/generations", json=body))[1] == "STYLE_NOT_FOUND"
        content = b'{"style_id": 1, "prompt_tags": ["cat", "caf\\udce9"]}'
        response = await browser.post("/api/generations", content=content, headers={"Content-Type": "application/json"})
        assert refusal(response)[2] == {"prompt_tags.1": "Text must be UTF-8."}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("cursor=made-up", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%00", "cursor"),
        ("sort=best", "sort"),
        ("training_status=some", "training_status"),
        ("artist_id=x", "artist_id"),
        ("artist_id=0", "artist_id"),
        (f"artist_id={2**63}", "artist_id"),
    ],
)
async def test_an_invalid_query_is_refused(anonymous: Browser, query: str, field: str) -> None:
    status, code, details = refusal(await anonymous.get(f"/api/styles?{query}"))
    assert (status, code, list(details)) == (422, "VALIDATION_ERROR", [field])
