from typing import Any

import pytest

from core.accounts.model import User
from core.styles.complete_training import CompleteTraining
from core.styles.version import MAX_IMAGE
from tests.entrypoints.pictures import picture, pictures
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld
from tests.support.photographs import SECRETS, drawn, galaxy_trailer, jpeg_with, segment, with_metadata
from tests.support.pictures import noise

FIELDS = {
    "name": "Ink wash",
    "description": "Black on white",
    "generation_cost_tokens": "30",
    "license_type": "personal",
}


async def create(
    browser: Browser, fields: dict[str, Any] | None = None, files: list[Any] | None = None
) -> tuple[int, dict[str, Any]]:
    response = await browser.post(
        "/api/styles", data=FIELDS | (fields or {}), files=pictures(10) if files is None else files
    )
    body: dict[str, Any] = response.json()
    return response.status_code, body["data"] if response.is_success else body["error"]


async def nothing_is_left(service: Service, world: MemoryWorld, artist: User) -> bool:
    styles = await world.read.styles.list_own(
        artist.id, page=__import__("core.paging", fromlist=["PageRequest"]).PageRequest()
    )
    return not styles.rows and not await world.blobs.keys("training/") and not await world.tasks()


@pytest.mark.parametrize("field", ["images", "training_images"])
async def test_a_style_is_created_from_images(service: Service, world: MemoryWorld, field: str) -> None:
    async with service.browser(await world.artist()) as browser:
        response = await browser.post(
            "/api/styles",
            data=FIELDS | {"tags": ["Water", "paper, Black  ink"], "captions": ["", "a cat, night"] + [""] * 8},
            files=pictures(10, field=field),
        )
        assert response.status_code == 201
        created = response.json()["data"]
        assert created == {
            "id": created["id"],
            "name": "Ink wash",
            "training_status": "pending",
            "artwork_count": 10,
            "created_at": "2026-01-01T00:00:00Z",
            "progress": None,
        }
        style = (await browser.get(response.headers["location"])).json()["data"]

    assert style["tags"] == ["ink wash", "water", "paper", "black ink", "a cat", "night"]
    assert style["artworks"][1]["caption"] == "a cat, night"
    assert (style["generation_cost_tokens"], style["license_type"], style["failure"]) == (30, "personal", None)
    assert len(await world.tasks()) == 1
    stored = await world.blobs.keys("training/")
    assert len(stored) == 11
    assert await world.blobs.get(f"training/{created['id']}/image_0.jpg") == picture(format="JPEG", hue=0)
    assert await world.blobs.get(f"training/{created['id']}/image_1.png") == picture(hue=1)


async def test_tags_are_given_per_image(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        response = await browser.post(
            "/api/styles",
            data=FIELDS | {"tags": "water", "image_tags": ["Red Cat, night", ""] + ["dog"] * 8},
            files=[*pictures(6), *pictures(4, field="training_images", first=6)],
        )
        assert response.status_code == 201
        style = (await browser.get(response.headers["location"])).json()["data"]

    assert style["tags"] == ["ink wash", "water", "red cat", "night", "dog"]
    assert [artwork["tags"] for artwork in style["artworks"][:3]] == [
        ["ink wash", "red cat", "night"],
        ["ink wash"],
        ["ink wash", "dog"],
    ]


@pytest.mark.parametrize(
    ("field", "problem"), [("pictures", "Unknown field."), ("description", "Text is required, not a file.")]
)
async def test_a_file_in_an_unknown_field_is_refused(
    service: Service, world: MemoryWorld, field: str, problem: str
) -> None:
    artist = await world.artist()
    fields = {name: value for name, value in FIELDS.items() if name != field}
    async with service.browser(artist) as browser:
        files = [*pictures(10), (field, ("a.png", picture(), "image/png"))]
        response = await browser.post("/api/styles", data=fields, files=files)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert response.json()["error"]["details"] == {field: problem}
    assert await nothing_is_left(service, world, artist)


async def test_samples_are_copies_without_metadata(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    content = with_metadata(drawn("RGB", (600, 512)), "JPEG") + galaxy_trailer()
    contents = [jpeg_with(content, segment(0xFE, b"%d" % index)) for index in range(10)]
    files = [("images", (f"{index}.jpg", content, "image/jpeg")) for index, content in enumerate(contents)]
    mia = await world.artist()
    async with service.browser(mia) as browser:
        status, created = await create(browser, files=files)
    assert status == 201
    await world.use_case(CompleteTraining)(created["id"], model_path="gs://m/1", metric=None)

    shown = (await anonymous.get(f"/api/styles/{created['id']}")).json()["data"]
    assert len(shown["sample_artworks"]) == 4
    for url in (shown["thumbnail_url"], *(sample["image_url"] for sample in shown["sample_artworks"])):
        key = url.removeprefix("https://memory.invalid/").partition("?")[0]
        assert key.startswith("samples/")
        stored = await world.blobs.get(key)
        assert not any(secret in stored for secret in SECRETS)


async def test_large_files_are_stored_completely(service: Service, world: MemoryWorld) -> None:
    contents = {index: noise(1600, 1600 + index) for index in (4, 8)}
    assert min(map(len, contents.values())) > 2 * 1024 * 1024
    files = pictures(10)
    for index, content in contents.items():
        files[index] = ("images", ("large.png", content, "image/png"))
    async with service.browser(await world.artist()) as browser:
        status, created = await create(browser, files=files)
    assert status == 201
    for index, content in contents.items():
        assert await world.blobs.get(f"training/{created['id']}/image_{index}.png") == content
    assert await world.blobs.get(f"training/{created['id']}/image_9.png") == picture(hue=9)


@pytest.mark.parametrize(
    ("fields", "code", "details"),
    [
        ({"name": ""}, "VALIDATION_ERROR", ["name"]),
        ({"name": "x" * 101}, "VALIDATION_ERROR", ["name"]),
        ({"generation_cost_tokens": "0"}, "VALIDATION_ERROR", ["generation_cost_tokens"]),
        ({"generation_cost_tokens": "many"}, "VALIDATION_ERROR", ["generation_cost_tokens"]),
        ({"generation_cost_tokens": "1.5"}, "VALIDATION_ERROR", ["generation_cost_tokens"]),
        ({"generation_cost_tokens": ["1", "2"]}, "VALIDATION_ERROR", ["generation_cost_tokens"]),
        ({"license_type": "free"}, "VALIDATION_ERROR", ["license_type"]),
        ({"valid_from": "tomorrow"}, "VALIDATION_ERROR", ["valid_from"]),
        ({"valid_from": "2026-01-01T00:00:00"}, "VALIDATION_ERROR", ["valid_from"]),
        ({"valid_from": "0001-01-01T00:00:00+14:00"}, "VALIDATION_ERROR", ["valid_from"]),
        ({"valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"}, "VALIDATION_ERROR", ["valid_to"]),
        ({"rights_affirmed": "perhaps"}, "VALIDATION_ERROR", ["rights_affirmed"]),
        ({"rights_affirmed": "false"}, "RIGHTS_NOT_AFFIRMED", None),
        ({"tags": "수채화"}, "INVALID_TAG_LANGUAGE", ["tags"]),
        ({"captions": ["one", "two"]}, "VALIDATION_ERROR", ["captions"]),
        ({"captions": ["x" * 501] + [""] * 9}, "VALIDATION_ERROR", ["captions.0"]),
        ({"image_tags": ["cat", "dog"]}, "VALIDATION_ERROR", ["image_tags"]),
        ({"image_tags": ["cat"] * 11, "captions": [""] * 9}, "VALIDATION_ERROR", ["captions", "image_tags"]),
        ({"image_tags": [""] * 9 + ["cat, 고양이"]}, "INVALID_TAG_LANGUAGE", ["image_tags.9"]),
        ({"description": "a\0b"}, "VALIDATION_ERROR", ["description"]),
        ({"image_tag": "cat", "colour": "red"}, "VALIDATION_ERROR", ["image_tag", "colour"]),
        ({"images": "not a file"}, "VALIDATION_ERROR", ["images"]),
    ],
)
async def test_an_invalid_field_stores_nothing(
    service: Service, world: MemoryWorld, fields: dict[str, Any], code: str, details: list[str] | None
) -> None:
    artist = await world.artist()
    async with service.browser(artist) as browser:
        status, error = await create(browser, fields)
    assert (status, error["code"]) == (422, code)
    assert (list(error["details"]) if error["details"] else None) == details
    assert await nothing_is_left(service, world, artist)


def with_one(content: bytes, *, at: int = 3, name: str = "picture.png") -> list[Any]:
    files = pictures(10)
    files[at] = ("images", (name, content, "image/png"))
    return files


@pytest.mark.parametrize(
    ("files", "code", "details"),
    [
        (pictures(9), "INSUFFICIENT_IMAGES", {"required": 10, "received": 9}),
        (pictures(101), "TOO_MANY_IMAGES", {"allowed": 100, "received": 101}),
        (with_one(b"no picture"), "INVALID_IMAGE_FORMAT", {"index": 3, "file": "picture.png"}),
        (with_one(b""), "INVALID_IMAGE_FORMAT", {"index": 3, "file": "picture.png"}),
        (with_one(picture()[:-20]), "INVALID_IMAGE_FORMAT", {"index": 3, "file": "picture.png"}),
        (
            with_one(picture(511, 600)),
            "IMAGE_RESOLUTION_TOO_LOW",
            {"index": 3, "file": "picture.png", "width": 511, "height": 600, "required": 512},
        ),
        (
            with_one(b"x" * (MAX_IMAGE + 1), name="큰 그림.png"),
            "IMAGE_SIZE_EXCEEDED",
            {"index": 3, "file": "큰 그림.png", "size": MAX_IMAGE + 1, "allowed": MAX_IMAGE},
        ),
    ],
    ids=["too few", "too many", "no picture", "empty", "truncated", "too small", "too large"],
)
async def test_a_refused_image_stores_nothing(
    service: Service, world: MemoryWorld, files: list[Any], code: str, details: dict[str, Any]
) -> None:
    artist = await world.artist()
    async with service.browser(artist) as browser:
        status, error = await create(browser, files=files)
    assert (status, error["code"], error["details"]) == (422, code, details)
    assert await nothing_is_left(service, world, artist)


async def test_a_duplicate_name_is_refused(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        assert (await create(browser))[0] == 201
        status, error = await create(browser)
    assert (status, error["code"]) == (409, "DUPLICATE_STYLE_NAME")


async def test_the_number_of_styles_is_limited(world: MemoryWorld) -> None:
    service = Service(world, styles_per_artist=1)
    mia = await world.artist()
    await world.style(mia)
    async with service.browser(mia) as browser:
        status, error = await create(browser)
    assert (status, error["code"], error["details"]) == (403, "STYLE_LIMIT_REACHED", {"limit": 1})


BOUNDARY = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("multipart/form-data", b"", 400, "MALFORMED_BODY"),
        (BOUNDARY, b"", 400, "MALFORMED_BODY"),
        (BOUNDARY, b"no parts at all", 400, "MALFORMED_BODY"),
        (BOUNDARY, FILE % b"never ends", 400, "MALFORMED_BODY"),
        (BOUNDARY, b"--b\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--b--", 400, "MALFORMED_BODY"),
        (BOUNDARY, PART % (b"name", b"\xff\xfe") + b"--b--", 422, "VALIDATION_ERROR"),
        (BOUNDARY, PART % (b"name", b"x" * 70_000) + b"--b--", 413, "PAYLOAD_TOO_LARGE"),
        (BOUNDARY, PART % (b"tags", b"x") * 501 + b"--b--", 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_a_malformed_form_is_refused(
    service: Service, world: MemoryWorld, content_type: str, body: bytes, status: int, code: str
) -> None:
    async with service.browser(await world.artist()) as browser:
        response = await browser.post("/api/styles", content=body, headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_only_forms_and_json_are_accepted(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        response = await browser.post("/api/styles", content=b"name=Ink", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_the_list_shows_usable_styles(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia, zoe = await world.artist("mia"), await world.artist("zoe")
    ink, oil = (
        await world.style(mia, "Ink", tags=["ink", "paper"]),
        await world.style(zoe, "Oil", tags=["oil", "paper"]),
    )
    pending = await world.untrained_style(mia, "Not yet")

    async def found(browser: Browser, query: str) -> set[int]:
        response = await browser.get(f"/api/styles?{query}")
        assert response.status_code == 200
        return {style["id"] for style in response.json()["data"]["results"]}

    assert await found(anonymous, "") == {ink.id, oil.id}
    assert await found(anonymous, "tags=paper") == {ink.id, oil.id}
    assert await found(anonymous, "tags=paper,Ink") == {ink.id}
    assert await found(anonymous, f"artist_id={zoe.id}&sort=popular") == {oil.id}
    assert await found(anonymous, "training_status=all") == {ink.id, oil.id}
    async with service.browser(mia) as browser:
        assert await found(browser, "training_status=completed") == {ink.id, oil.id}
        assert await found(browser, "training_status=all") == {ink.id, oil.id, pending.id}
    async with service.browser(zoe) as browser:
        assert await found(browser, "training_status=all") == {ink.id, oil.id}


async def test_the_model_is_for_the_owner_only(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia = await world.artist()
    style = await world.style(mia)
    secret = {"model_path", "training_metric", "artworks", "failure"}
    assert not secret & (await anonymous.get(f"/api/styles/{style.id}")).json()["data"].keys()
    async with service.browser(mia) as browser:
        assert secret <= (await browser.get(f"/api/styles/{style.id}")).json()["data"].keys()


async def test_own_styles_are_listed_in_every_status(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    ink = await world.style(mia)
    world.clock.advance()
    pending = await world.untrained_style(mia, "Not yet")
    async with service.browser(mia) as browser:
        results = (await browser.get("/api/styles/me")).json()["data"]["results"]
    assert [style["id"] for style in results] == [pending.id, ink.id]
    assert {"total_earned_tokens", "progress"} <= results[0].keys()


async def test_examples_are_public_generations_of_a_style(
    service: Service, world: MemoryWorld, anonymous: Browser
) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=500)
    style, other = await world.style(mia), await world.style(mia, "Other")
    examples: list[int] = []
    for _ in range(3):
        world.clock.advance()
        examples.insert(0, (await world.image(ann, style, public=True)).id)
    await world.image(ann, style)
    await world.image(ann, other, public=True)

    found = (await anonymous.get(f"/api/styles/{style.id}/examples")).json()["data"]["results"]
    assert [item["id"] for item in found] == examples
    feed = (await anonymous.get("/api/generations/feed")).json()["data"]["results"]
    assert found == [item for item in feed if item["id"] in examples]


async def test_an_invisible_style_has_no_examples(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    untrained = await world.untrained_style(await world.artist("mia"))
    for style_id in (untrained.id, 999):
        answer = await anonymous.get(f"/api/styles/{style_id}/examples")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "STYLE_NOT_FOUND")


async def test_tags_are_recommended_for_a_style(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann", tokens=100)
    style = await world.style(mia, "Ink", tags=["ink"])
    await world.image(ann, style, public=True, prompt_tags=["ink"])
    await world.image(ann, style, prompt_tags=["ink", "secret"])

    path = f"/api/styles/{style.id}/recommended-tags"
    recommended = (await anonymous.get(path)).json()["data"]
    assert recommended[:2] == [{"name": "ink", "count": 11}, {"name": "number 0", "count": 1}]
    missing = await anonymous.get("/api/styles/999/recommended-tags")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "STYLE_NOT_FOUND")
