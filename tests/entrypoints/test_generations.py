from typing import Any

import pytest

from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld
from tests.support.pictures import picture


async def test_a_generation_is_requested(service: Service, world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    ann = await world.user("ann", tokens=100)
    body = {"style_id": style.id, "prompt_tags": ["Cat", "night  sky"], "description": "고양이", "aspect_ratio": "1:2"}
    async with service.browser(ann) as browser:
        response = await browser.post("/api/generations", json=body)
        assert response.status_code == 201
        created = response.json()["data"]
        assert created == {
            "id": created["id"],
            "user_id": ann.id,
            "style_id": style.id,
            "style_version": 1,
            "status": "queued",
            "consumed_tokens": 30,
            "aspect_ratio": "1:2",
            "created_at": "2026-01-01T00:00:00Z",
            "progress": None,
            "queue": {"position": 1, "estimated_seconds": created["queue"]["estimated_seconds"]},
        }
        found = (await browser.get(response.headers["location"])).json()["data"]
        assert (found["id"], found["tags"], found["description"]) == (created["id"], ["cat", "night sky"], "고양이")
        assert (await browser.get("/api/tokens/balance")).json()["data"] == {
            "user_id": ann.id,
            "token_balance": 70,
            "bonus_tokens": 70,
            "held_tokens": 30,
            "debt_tokens": 0,
            "earned_token_balance": None,
            "withdrawable_tokens": None,
            "maturing_tokens": None,
        }
    assert len(await world.tasks()) == 1


@pytest.mark.parametrize(
    ("changes", "status", "code", "details"),
    [
        ({"style_id": 999}, 404, "STYLE_NOT_FOUND", None),
        ({"style_id": 0}, 422, "VALIDATION_ERROR", {"style_id": "Expected `int` >= 1."}),
        ({"prompt_tags": []}, 422, "VALIDATION_ERROR", {"prompt_tags": "1 to 75."}),
        ({"prompt_tags": ["cat"] * 76}, 422, "VALIDATION_ERROR", {"prompt_tags": "1 to 75."}),
        ({"prompt_tags": ["고양이"]}, 422, "INVALID_TAG_LANGUAGE", {"prompt_tags": "'고양이' is not a valid tag."}),
        ({"seed": -1}, 422, "VALIDATION_ERROR", {"seed": "0 to 4294967295."}),
        ({"seed": 2**70}, 422, "VALIDATION_ERROR", {"seed": "0 to 4294967295."}),
        ({"description": "x" * 1001}, 422, "VALIDATION_ERROR", {"description": "At most 1000 characters."}),
        ({"aspect_ratio": None}, 422, "VALIDATION_ERROR", {"aspect_ratio": "Expected `str`, got `null`."}),
    ],
)
async def test_a_refused_request_costs_nothing(
    service: Service, world: MemoryWorld, changes: dict[str, Any], status: int, code: str, details: Any
) -> None:
    style = await world.style(await world.artist())
    body = {"style_id": style.id, "prompt_tags": ["cat"]} | changes
    async with service.browser(await world.user("ann", tokens=100)) as browser:
        response = await browser.post("/api/generations", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["details"]) == (status, code, details)
        assert (await browser.get("/api/tokens/balance")).json()["data"]["token_balance"] == 100
        assert (await browser.get("/api/generations/me")).json()["data"]["results"] == []
    assert await world.tasks() == []


async def test_insufficient_tokens_are_refused(service: Service, world: MemoryWorld) -> None:
    style = await world.style(await world.artist())
    async with service.browser(await world.user("ann", tokens=29)) as browser:
        response = await browser.post("/api/generations", json={"style_id": style.id, "prompt_tags": ["cat"]})
    assert response.status_code == 402
    assert response.json()["error"]["code"] == "INSUFFICIENT_TOKENS"
    assert response.json()["error"]["details"] == {"required": 30, "available": 29}


async def test_an_untrained_style_is_refused(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    style = await world.untrained_style(mia)
    refusals = []
    for requester in (mia, await world.user("ann", tokens=100)):
        async with service.browser(requester) as browser:
            response = await browser.post("/api/generations", json={"style_id": style.id, "prompt_tags": ["cat"]})
            refusals.append((response.status_code, response.json()["error"]["code"]))
    assert refusals == [(422, "STYLE_NOT_READY"), (404, "STYLE_NOT_FOUND")]


KNOWN = [
    ["TAG"],
    ["W/TAG"],
    ['"other", TAG'],
    ['"a,b",W/TAG , "c"'],
    ["*"],
    [" * "],
    ['"other"', "TAG"],
    ["TAG", '"other"'],
    ['W/"other"', '"a"', "W/TAG"],
]
"""Lines of If-None-Match that name a tag (RFC 9110, 13.1.2)."""
UNKNOWN = [['"other"'], ['"a, b"'], [""], ['"*"'], ["other"], ['"other"', '"another"']]


async def test_polling_an_unchanged_generation_is_304(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=100)
    image = await world.generation(ann, await world.style(await world.artist()))
    path = f"/api/generations/{image.id}"
    async with service.browser(ann) as browser:
        first = await browser.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        for sent in KNOWN:
            known = await browser.get(path, headers=[("If-None-Match", line.replace("TAG", tag)) for line in sent])
            assert (known.status_code, known.headers["etag"]) == (304, tag)
            assert known.headers["cache-control"] == "private, no-cache"
            assert not {"content-length", "content-type"} & known.headers.keys()
            head = await browser.client.head(path, headers=[("If-None-Match", tag)])
            assert head.status_code == 304
        for sent in UNKNOWN:
            other = await browser.get(path, headers=[("If-None-Match", line.replace("TAG", tag)) for line in sent])
            assert (other.status_code, other.content) == (200, first.content)

        progress = {"current_step": 1, "total_steps": 50, "progress_percent": 2, "estimated_seconds": 30}
        await browser.client.patch(
            "/api/webhooks/inference/progress",
            json={"generation_id": image.id, "progress": progress},
            headers=service.ai_server("inference-server"),
        )
        moved = await browser.get(path, headers={"If-None-Match": tag})
        assert moved.status_code == 200
        assert moved.json()["data"]["progress"]["current_step"] == 1


async def test_a_generation_is_published_and_hidden(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    from io import BytesIO

    from core.ports.blob_store import Blob

    ann = await world.user("ann", tokens=100)
    image = await world.image(ann, await world.style(await world.artist()))
    await world.blobs.put(Blob(f"generations/gen-{image.id}.png", BytesIO(picture()), "image/png"))
    path = f"/api/generations/{image.id}"
    async with service.browser(ann) as browser:
        assert (await anonymous.get(path)).status_code == 404
        published = await browser.patch(path, json={"is_public": True, "description": "A cat"})
        assert published.status_code == 200
        assert published.json()["data"]["is_public"] is True
        assert (await anonymous.get(path)).json()["data"]["description"] == "A cat"
        (shown,) = (await anonymous.get("/api/generations/feed")).json()["data"]["results"]
        assert (shown["id"], shown["is_liked"]) == (image.id, False)

        await browser.patch(path, json={"is_public": False, "description": None})
        assert (await anonymous.get("/api/generations/feed")).json()["data"]["results"] == []


async def test_an_unfinished_generation_cannot_be_published(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=100)
    image = await world.generation(ann, await world.style(await world.artist()))
    async with service.browser(ann) as browser:
        response = await browser.patch(f"/api/generations/{image.id}", json={"is_public": True})
        strict = await browser.patch(f"/api/generations/{image.id}", json={"is_public": "true"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "GENERATION_NOT_COMPLETED")
    assert strict.json()["error"]["details"] == {"is_public": "Expected `bool`, got `str`."}


async def test_the_feed_is_filtered_by_tags_and_user(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    ann, ben = await world.user("ann", tokens=100), await world.user("ben", tokens=100)
    style = await world.style(await world.artist())
    first = await world.image(ann, style, public=True, prompt_tags=["cat", "night"])
    second = await world.image(ben, style, public=True, prompt_tags=["cat"])

    async def found(query: str) -> set[int]:
        response = await anonymous.get(f"/api/generations/feed?{query}")
        assert response.status_code == 200
        return {item["id"] for item in response.json()["data"]["results"]}

    assert await found("") == {first.id, second.id}
    assert await found("tags=cat") == {first.id, second.id}
    assert await found("tags=Cat,%20night,") == {first.id}
    assert await found(f"user_id={ben.id}&sort=popular") == {second.id}
    response = await anonymous.get("/api/generations/feed?tags=고양이")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "INVALID_TAG_LANGUAGE")


async def test_own_generations_are_filtered_by_status_and_visibility(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann", tokens=1000)
    style = await world.style(await world.artist())
    queued = await world.generation(ann, style)
    public, private = await world.image(ann, style, public=True), await world.image(ann, style)
    failed = await world.failed_generation(ann, style)
    async with service.browser(ann) as browser:

        async def found(query: str) -> set[int]:
            return {
                item["id"] for item in (await browser.get(f"/api/generations/me?{query}")).json()["data"]["results"]
            }

        assert await found("") == {queued.id, public.id, private.id, failed.id}
        assert await found("status=queued") == {queued.id}
        assert await found("status=failed") == {failed.id}
        assert await found("status=completed&is_public=false") == {private.id}
        assert await found("is_public=true") == {public.id}
        assert (await browser.get("/api/generations/me?is_public=maybe")).status_code == 422
