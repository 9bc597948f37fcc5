import pytest

from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld


async def test_styles_and_artists_are_found(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    kim = await world.artist("inkling")
    style = await world.style(kim, "Ink Wash", show_samples=False)
    response = await anonymous.get("/api/search", params={"q": "INK"})
    assert response.status_code == 200
    artist = {"id": kim.id, "username": "inkling", "artist_name": "Inkling"}
    assert response.json()["data"] == {
        "styles": [
            {
                "id": style.id,
                "name": "Ink Wash",
                "thumbnail_url": None,
                "images": None,
                "artist": artist,
                "matched_by": "name",
                "usage_count": 0,
            }
        ],
        "artists": [artist | {"profile_image": None, "images": None, "follower_count": 0, "matched_by": "name"}],
    }


@pytest.mark.parametrize(("type", "styles", "artists"), [("all", 1, 1), ("styles", 1, 0), ("artists", 0, 1)])
async def test_results_can_be_limited_to_one_type(
    world: MemoryWorld, anonymous: Browser, type: str, styles: int, artists: int
) -> None:
    await world.style(await world.artist("inkling"))
    found = (await anonymous.get("/api/search", params={"q": "ink", "type": type})).json()["data"]
    assert (len(found["styles"]), len(found["artists"])) == (styles, artists)


async def test_results_respect_the_limit(world: MemoryWorld, anonymous: Browser) -> None:
    mia = await world.artist()
    for name in ("Ink one", "Ink two", "Ink three"):
        await world.style(mia, name)
    found = (await anonymous.get("/api/search", params={"q": "ink", "limit": 2})).json()["data"]
    assert len(found["styles"]) == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "q"),
        ({"q": " "}, "q"),
        ({"q": "x" * 10_000}, "q"),
        ({"q": "ink", "limit": 0}, "limit"),
        ({"q": "ink", "limit": 101}, "limit"),
        ({"q": "ink", "type": "people"}, "type"),
    ],
)
async def test_invalid_parameters_are_refused(anonymous: Browser, asked: dict[str, str | int], field: str) -> None:
    response = await anonymous.get("/api/search", params=asked)
    error = response.json()["error"]
    assert (response.status_code, error["code"], list(error["details"])) == (422, "VALIDATION_ERROR", [field])


@pytest.mark.parametrize("text", ["%", "_", "'", '"', "\\", "🌆", "a", "\x01a", "\ufffd", "먹"])
async def test_any_text_is_a_valid_query(anonymous: Browser, text: str) -> None:
    response = await anonymous.get("/api/search", params={"q": text})
    assert (response.status_code, response.json()["data"]) == (200, {"styles": [], "artists": []})


@pytest.mark.parametrize("asked", ["%ff%fe", "%ED%A0%80", "%00a"])
async def test_invalid_text_is_refused(anonymous: Browser, asked: str) -> None:
    response = await anonymous.get(f"/api/search?q={asked}")
    assert (response.status_code, list(response.json()["error"]["details"])) == (422, ["q"])


async def test_used_tags_are_listed(world: MemoryWorld, anonymous: Browser) -> None:
    mia = await world.artist()
    await world.style(mia, "Ink", tags=["ink", "ink wash"])
    await world.style(mia, "Oil", tags=["ink wash", "oil"])

    found = (await anonymous.get("/api/tags", params={"search": "In", "limit": 5})).json()["data"]
    assert [(tag["name"], tag["usage_count"]) for tag in found] == [("ink wash", 2), ("ink", 1)]
    assert all(isinstance(tag["id"], int) for tag in found)
    popular = (await anonymous.get("/api/tags", params={"limit": 1})).json()["data"]
    assert popular == found[:1]
    assert (await anonymous.get("/api/tags/", params={"search": "먹%"})).json()["data"] == []


@pytest.mark.parametrize(
    ("asked", "field"), [({"search": "x" * 10_000}, "search"), ({"limit": 0}, "limit"), ({"limit": 101}, "limit")]
)
async def test_invalid_tag_queries_are_refused(anonymous: Browser, asked: dict[str, str | int], field: str) -> None:
    response = await anonymous.get("/api/tags", params=asked)
    error = response.json()["error"]
    assert (response.status_code, error["code"], list(error["details"])) == (422, "VALIDATION_ERROR", [field])
