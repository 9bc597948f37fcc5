"""Names and free text that are refused, with the field."""

import unicodedata
from typing import Any

import pytest

from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.service import Service
from tests.entrypoints.test_users import data_url
from tests.support.memory_world import MemoryWorld

INVISIBLE = ["\u200b", "\u3164", "\x1b[31mred", "a\u202eb", "a\u2066b\u2069", "a\U000e0041", "\ufe0f", " \u0301 "]
CONTROL = ["a\x1b[31m", "a\x07", "a\x7f", "a\x9b"]

NAMES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("PATCH", "/api/users/me", "username", {}),
    (
        "POST",
        "/api/users/me/upgrade-to-artist",
        "artist_name",
        {"verified_email": "ann@example.com", "signature_image": data_url(picture(64, 64))},
    ),
    ("POST", "/api/styles", "name", {"generation_cost_tokens": "30"}),
]
TEXTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("PATCH", "/api/users/me", "bio", {}),
    ("POST", "/api/styles", "description", {"name": "Oil", "generation_cost_tokens": "30"}),
    ("PATCH", "/api/styles/{style}", "description", {}),
    ("POST", "/api/generations", "description", {"style_id": "{style}", "prompt_tags": ["cat"]}),
    ("PATCH", "/api/generations/{image}", "description", {}),
    ("POST", "/api/generations/{image}/comments", "content", {}),
    ("PATCH", "/api/comments/{comment}", "content", {}),
]


async def call(
    service: Service, world: MemoryWorld, method: str, path: str, body: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    ann = await (world.user if "upgrade" in path else world.artist)("ann", tokens=100)
    style = await world.style(await world.artist("mia") if "upgrade" in path else ann)
    image = await world.image(ann, style)
    async with service.browser(ann) as browser:
        comment = (await browser.post(f"/api/generations/{image.id}/comments", json={"content": "Nice"})).json()
        path = path.format(style=style.id, image=image.id, comment=comment["data"]["id"])
        body = {name: style.id if value == "{style}" else value for name, value in body.items()}
        sent: dict[str, Any] = {"data": body, "files": pictures(10)} if path == "/api/styles" else {"json": body}
        response = await browser.call(method, path, **sent)
    return response.status_code, response.json()


@pytest.mark.parametrize("name", INVISIBLE, ids=ascii)
@pytest.mark.parametrize(("method", "path", "field", "body"), NAMES, ids=lambda value: value if "/" in value else "")
async def test_an_invisible_name_is_refused(
    service: Service, world: MemoryWorld, method: str, path: str, field: str, body: dict[str, Any], name: str
) -> None:
    status, answer = await call(service, world, method, path, body | {field: name})

    assert (status, answer["error"]["code"], list(answer["error"]["details"])) == (422, "VALIDATION_ERROR", [field])


@pytest.mark.parametrize("text", CONTROL, ids=ascii)
@pytest.mark.parametrize(("method", "path", "field", "body"), TEXTS)
async def test_free_text_with_control_characters_is_refused(
    service: Service, world: MemoryWorld, method: str, path: str, field: str, body: dict[str, Any], text: str
) -> None:
    status, answer = await call(service, world, method, path, body | {field: text})

    assert (status, answer["error"]["code"], list(answer["error"]["details"])) == (422, "VALIDATION_ERROR", [field])


@pytest.mark.parametrize(("method", "path", "field", "body"), [*NAMES[1:], *TEXTS])
async def test_text_is_stored_in_nfc(
    service: Service, world: MemoryWorld, method: str, path: str, field: str, body: dict[str, Any]
) -> None:
    text = "한글수채화 é"

    status, answer = await call(service, world, method, path, body | {field: unicodedata.normalize("NFD", text)})

    assert status in (200, 201)
    tables = world.database.tables
    stored = [
        *(style.name for style in tables.styles.values()),
        *(style.description for style in tables.styles.values()),
        *(artist.artist_name for artist in tables.artists.values()),
        *(user.bio for user in tables.users.values()),
        *(image.description for image in tables.generations.values()),
        *(comment.content for comment in tables.comments.values()),
    ]
    assert text in stored
    assert answer["data"].get(field, text) == text
