import base64
from typing import Any

import pytest

from core.withdrawals.request_withdrawal import RequestWithdrawal
from tests.entrypoints.pictures import picture
from tests.entrypoints.service import Browser, Service
from tests.support.derivatives import originals
from tests.support.memory_world import MemoryWorld


def data_url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


async def test_a_profile_is_public(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia = await world.artist()
    profile = (await anonymous.get(f"/api/users/{mia.id}")).json()["data"]
    assert profile == {
        "id": mia.id,
        "username": "mia",
        "profile_image": None,
        "images": None,
        "bio": "",
        "role": "artist",
        "created_at": "2026-01-01T00:00:00Z",
        "is_following": False,
        "artist": {"id": mia.id, "artist_name": "Mia", "follower_count": 0},
        "stats": {"total_generations": 0, "public_generations": 0, "following_count": 0},
    }
    response = await anonymous.get("/api/users/999")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "USER_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"username": "anna", "bio": "Hello", "profile_image": data_url(picture(64, 64))}},
        {"data": {"username": "anna", "bio": "Hello"}, "files": {"profile_image": ("me.png", picture(64, 64))}},
    ],
    ids=["JSON", "multipart"],
)
async def test_a_profile_is_edited(service: Service, world: MemoryWorld, body: dict[str, Any]) -> None:
    async with service.browser(await world.user("ann")) as browser:
        response = await browser.patch("/api/users/me", **body)
    assert response.status_code == 200
    profile = response.json()["data"]
    assert (profile["username"], profile["bio"]) == ("anna", "Hello")
    (key,) = originals(await world.blobs.keys("public/profiles/"))
    assert profile["profile_image"].endswith(key)
    url = profile["profile_image"]
    assert profile["images"] == {
        "thumbnail": {"webp": f"{url}.320.webp", "jpeg": f"{url}.320.jpg"},
        "preview": {"webp": f"{url}.1024.webp", "jpeg": f"{url}.1024.jpg"},
        "original": url,
    }
    assert await world.blobs.get(key) == picture(64, 64)


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"artist_name": "Mia K", "signature_image": data_url(picture(64, 64, hue=9))}},
        {"data": {"artist_name": "Mia K"}, "files": {"signature_image": ("me.png", picture(64, 64, hue=9))}},
    ],
    ids=["JSON", "multipart"],
)
async def test_an_artist_edits_name_and_signature(service: Service, world: MemoryWorld, body: dict[str, Any]) -> None:
    mia = await world.artist()
    (before,) = await world.blobs.keys("signatures/")
    style = await world.style(mia)
    async with service.browser(mia) as browser:
        response = await browser.patch("/api/users/me", **body)
        me = (await browser.get("/api/auth/me")).json()["data"]
    assert response.status_code == 200
    assert response.json()["data"]["artist"]["artist_name"] == me["artist"]["artist_name"] == "Mia K"
    (key,) = set(await world.blobs.keys("signatures/")) - {before}
    assert await world.blobs.get(key) == picture(64, 64, hue=9)
    assert key in me["artist"]["signature_image_url"]

    async with service.browser(await world.user("ann", tokens=100)) as browser:
        await browser.post("/api/generations", json={"style_id": style.id, "prompt_tags": ["cat"]})
    (task,) = await world.tasks()
    assert world.blobs.uri(key) in task.body.decode()


async def test_omitted_fields_are_kept(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        await browser.patch("/api/users/me", json={"bio": "Hello"})
        profile = (await browser.patch("/api/users/me", json={"username": "anna"})).json()["data"]
        untouched = (await browser.patch("/api/users/me", json={})).json()["data"]
    assert profile["bio"] == "Hello"
    assert untouched == profile


@pytest.mark.parametrize(
    ("body", "status", "code", "fields"),
    [
        ({"json": {"username": "ben"}}, 409, "USERNAME_TAKEN", None),
        ({"json": {"username": "x"}}, 422, "VALIDATION_ERROR", ["username"]),
        ({"json": {"username": None}}, 422, "VALIDATION_ERROR", ["username"]),
        ({"json": {"bio": "x" * 501}}, 422, "VALIDATION_ERROR", ["bio"]),
        ({"json": {"bio": 5, "username": 6}}, 422, "VALIDATION_ERROR", ["username", "bio"]),
        ({"json": {"profile_image": "https://elsewhere.example/a.png"}}, 422, "VALIDATION_ERROR", ["profile_image"]),
        ({"json": {"profile_image": "data:image/png;base64,A"}}, 422, "VALIDATION_ERROR", ["profile_image"]),
        ({"json": {"profile_image": 5}}, 422, "VALIDATION_ERROR", ["profile_image"]),
        ({"json": {"profile_image": data_url(b"none")}}, 422, "INVALID_IMAGE_FORMAT", ["profile_image"]),
        ({"files": {"profile_image": ("a.png", b"none")}}, 422, "INVALID_IMAGE_FORMAT", ["profile_image"]),
        ({"files": [("profile_image", ("a.png", b"a"))] * 2}, 422, "VALIDATION_ERROR", ["profile_image"]),
        ({"json": {"artist_name": "Ann"}}, 403, "ARTIST_ONLY", None),
        ({"json": {"signature_image": data_url(picture())}}, 403, "ARTIST_ONLY", None),
        ({"files": {"signature_image": ("a.png", picture())}}, 403, "ARTIST_ONLY", None),
        ({"files": {"signature_image": ("a.png", b"none")}}, 422, "INVALID_IMAGE_FORMAT", ["signature_image"]),
        ({"json": {"avatar": "x"}}, 422, "VALIDATION_ERROR", ["avatar"]),
        ({"files": {"avatar": ("a.png", picture())}}, 422, "VALIDATION_ERROR", ["avatar"]),
        ({"files": {"bio": ("a.png", picture())}}, 422, "VALIDATION_ERROR", ["bio"]),
    ],
)
async def test_an_invalid_change_is_refused(
    service: Service, world: MemoryWorld, body: dict[str, Any], status: int, code: str, fields: list[str] | None
) -> None:
    await world.user("ben")
    async with service.browser(await world.user("ann")) as browser:
        before = (await browser.get("/api/auth/me")).json()
        response = await browser.patch("/api/users/me", **body)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (status, code)
        assert (list(error["details"]) if error["details"] else None) == fields
        assert (await browser.get("/api/auth/me")).json() == before
    assert await world.blobs.keys("public/") == []


APPLICATION = {"artist_name": "Ann Ink", "verified_email": "Ann@example.com"}


@pytest.mark.parametrize(
    "body",
    [
        {"json": APPLICATION | {"signature_image": data_url(picture(200, 80))}},
        {"data": APPLICATION, "files": {"signature_image": ("signature.png", picture(200, 80))}},
    ],
    ids=["JSON", "multipart"],
)
async def test_a_user_becomes_an_artist(service: Service, world: MemoryWorld, body: dict[str, Any]) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser:
        response = await browser.post("/api/users/me/upgrade-to-artist", **body)
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/users/{ann.id}"
        upgraded = response.json()["data"]
        assert upgraded["user"]["role"] == "artist"
        assert upgraded["artist"]["artist_name"] == "Ann Ink"
        assert upgraded["user"]["artist"] == upgraded["artist"]
        (key,) = await world.blobs.keys("signatures/")
        assert await world.blobs.get(key) == picture(200, 80)

        again = await browser.post("/api/users/me/upgrade-to-artist", **body)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "ALREADY_ARTIST")


async def test_the_email_of_an_artist_is_that_of_the_account(service: Service, world: MemoryWorld) -> None:
    body = APPLICATION | {"verified_email": "boss@example.com", "signature_image": data_url(picture(200, 80))}
    async with service.browser(await world.user("ann")) as browser:
        response = await browser.post("/api/users/me/upgrade-to-artist", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "EMAIL_NOT_VERIFIED")


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"signature_image": None}, "VALIDATION_ERROR", ["signature_image"]),
        ({"signature_image": data_url(b"none")}, "INVALID_IMAGE_FORMAT", ["signature_image"]),
        ({"artist_name": " "}, "VALIDATION_ERROR", ["artist_name"]),
        ({"verified_email": "nowhere"}, "VALIDATION_ERROR", ["verified_email"]),
        ({"artist_name": "Support"}, "VALIDATION_ERROR", ["artist_name"]),
    ],
)
async def test_a_refused_application_stores_no_signature(
    service: Service, world: MemoryWorld, changes: dict[str, Any], code: str, fields: list[str]
) -> None:
    body = APPLICATION | {"signature_image": data_url(picture(200, 80))} | changes
    async with service.browser(await world.user("ann")) as browser:
        response = await browser.post("/api/users/me/upgrade-to-artist", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["code"], list(error["details"])) == (422, code, fields)
        assert (await browser.get("/api/auth/me")).json()["data"]["role"] == "user"
    assert await world.blobs.keys("signatures/") == []


async def test_an_account_is_deleted(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser, service.browser(ann) as another:
        response = await browser.delete("/api/users/me")
        assert (response.status_code, response.content) == (204, b"")
        assert 'sessionid=""' in response.headers["set-cookie"]
        for who in (browser, another):
            assert (await who.get("/api/auth/me")).status_code == 401
    assert (await anonymous.get(f"/api/users/{ann.id}")).status_code == 404
    assert ann.id not in world.database.tables.users


async def test_a_pending_withdrawal_prevents_account_deletion(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    await world.earn(mia)
    await world.use_case(RequestWithdrawal)(mia.id, 1)
    async with service.browser(mia) as browser:
        response = await browser.delete("/api/users/me", headers={"Accept-Language": "ko"})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (409, "WITHDRAWAL_PENDING")
        assert error["message"] == "아직 처리되지 않은 출금 요청이 있습니다."
        assert (await browser.get("/api/auth/me")).status_code == 200


async def test_personal_data_is_exported(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann", tokens=100)
    image = await world.image(ann, await world.style(mia), public=True)
    await world.like(ann, image)
    async with service.browser(ann) as browser:
        response = await browser.get("/api/users/me/export")
        assert response.headers["content-disposition"] == 'attachment; filename="style-license-export.json"'
        assert response.headers["cache-control"] == "no-store"
        assert str(browser.session) not in response.text
        exported = response.json()["data"]
        assert exported["profile"] == (await browser.get("/api/auth/me")).json()["data"]
        assert [row["id"] for row in exported["generations"]] == [image.id]
        assert [row["generation_id"] for row in exported["likes"]] == [image.id]
        assert [row["user_agent"] for row in exported["sessions"]] == ["a test"]
        assert exported["withdrawals"] == []
