"""Lists in pages, the same everywhere."""

from typing import Any

import pytest

from core.accounts.model import User
from core.community.post_comment import NewComment, PostComment
from entrypoints.http.security.signing import Signers
from tests.entrypoints.service import Browser, Service
from tests.support.world import MemoryWorld

LISTS = [
    "/api/styles",
    "/api/styles?sort=popular",
    "/api/styles/me",
    "/api/generations/feed",
    "/api/generations/feed?sort=popular",
    "/api/generations/me",
    "/api/users/me/following",
    "/api/tokens/transactions",
    "/api/notifications",
]


@pytest.fixture
async def mia(service: Service, world: MemoryWorld, anonymous: Browser) -> User:
    """An artist with five of everything."""
    mia = await world.artist(tokens=1000)
    for index in range(5):
        world.clock.advance()
        style = await world.style(mia, f"Style {index}")
        await world.image(mia, style, public=True)
        await world.follow(mia, await world.user(f"user-{index}"))
        failing = await world.generation(mia, style)
        body = {"generation_id": failing.id, "error_message": "No", "error_code": "GENERATION_FAILED"}
        headers = service.ai_server("inference-server")
        assert (await anonymous.post("/api/webhooks/inference/failed", json=body, headers=headers)).status_code == 200
    return mia


def with_query(path: str, **query: Any) -> str:
    parts = [path.partition("?")[2], *(f"{name}={value}" for name, value in query.items())]
    return f"{path.partition('?')[0]}?{'&'.join(part for part in parts if part)}"


async def page(browser: Browser, path: str, **query: Any) -> dict[str, Any]:
    response = await browser.get(with_query(path, **query))
    assert response.status_code == 200
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.mark.parametrize("path", LISTS)
async def test_pages_together_are_the_list(service: Service, mia: User, path: str) -> None:
    async with service.browser(mia) as browser:
        whole = await page(browser, path)
        assert (whole["next_cursor"], whole["has_more"]) == (None, False)
        gathered, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            part = await page(browser, path, limit=2, **({"cursor": cursor} if cursor else {}))
            assert len(part["results"]) <= 2
            assert part["has_more"] is (part["next_cursor"] is not None)
            gathered += part["results"]
            cursor, pages = part["next_cursor"], pages + 1
    assert pages >= 3
    assert gathered == whole["results"]


async def test_a_list_without_anything_is_empty_not_null(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.artist()) as browser:
        for path in LISTS:
            assert await page(browser, path, limit=100) | {"unread_count": 0} == {
                "results": [],
                "next_cursor": None,
                "has_more": False,
                "unread_count": 0,
            }


async def test_a_cursor_is_good_for_its_own_list_only(service: Service, mia: User) -> None:
    async with service.browser(mia) as browser:
        cursors = {path: (await page(browser, path, limit=1))["next_cursor"] for path in LISTS}
        for path in LISTS:
            for other in LISTS:
                response = await browser.get(with_query(path, cursor=cursors[other]))
                assert response.status_code == (200 if path == other else 422), (path, other)


PARTS = [
    "/api/styles/{style}/examples",
    "/api/styles?tags=ink",
    "/api/styles?artist_id={mia}",
    "/api/generations/{image}/comments",
    "/api/comments/{comment}/replies",
    "/api/generations/feed?tags=woman",
    "/api/generations/feed?user_id={mia}",
    "/api/generations/feed?following=true",
    "/api/generations/me?status=completed",
    "/api/generations/me?is_public=true",
    "/api/tokens/transactions?type=generation",
    "/api/notifications?unread_only=true",
]
"""Lists of some of a thing, and of what belongs to one."""


@pytest.mark.parametrize("path", [*LISTS, *PARTS])
async def test_a_cursor_that_was_tampered_with_or_sealed_elsewhere(
    service: Service, world: MemoryWorld, mia: User, path: str
) -> None:
    styles = [await world.style(mia, name, tags=["ink"]) for name in ("One more", "Another")]
    images = [await world.image(mia, styles[0], public=True) for _ in range(2)]
    zoe = await world.user("zoe", tokens=100)
    await world.follow(mia, zoe)
    comments = []
    for _ in range(2):
        await world.image(zoe, styles[0], public=True)
        comments.append(await world.use_case(PostComment)(mia.id, images[0].id, NewComment("Nice")))
    for _ in range(2):
        await world.use_case(PostComment)(mia.id, images[0].id, NewComment("Yes", parent_id=comments[0]))
    path = path.format(style=styles[0].id, image=images[0].id, comment=comments[0], mia=mia.id)
    async with service.browser(mia) as browser:
        cursor = (await page(browser, path, limit=1))["next_cursor"]
        payload, _, mac = cursor.partition(".")
        foreign = Signers.of("another secret").cursors.seal(b'[0,"2026-01-01T00:00:00Z",1]', context="styles:recent")
        for made_up in (
            payload,
            f"{payload}.",
            f"{payload}A.{mac}",
            f"{payload}=.{mac}",
            f".{mac}",
            foreign,
            "ü.ü",
            "",
        ):
            address, _, query = path.partition("?")
            response = await browser.get(
                address, params=[tuple(query.split("="))] * bool(query) + [("cursor", made_up)]
            )
            assert (response.status_code, list(response.json()["error"]["details"])) == (422, ["cursor"])


async def test_transactions_by_type(service: Service, mia: User) -> None:
    async with service.browser(mia) as browser:
        everything = (await page(browser, "/api/tokens/transactions", limit=100))["results"]
        generations = (await page(browser, "/api/tokens/transactions", type="generation", limit=100))["results"]
        refunded = (await page(browser, "/api/tokens/transactions", type="refund", limit=100))["results"]
        assert (await page(browser, "/api/tokens/transactions", type="purchase"))["results"] == []
        assert (await browser.get("/api/tokens/transactions?type=gift")).status_code == 422
    assert {line["type"] for line in everything} == {"bonus", "generation"}
    assert {line["type"] for line in generations} == {"generation"}
    assert [(line["status"], line["refunded"]) for line in refunded] == [("failed", True)] * 5


async def test_notifications_are_read_one_by_one_or_all_at_once(
    service: Service, world: MemoryWorld, mia: User
) -> None:
    async with service.browser(mia) as browser:
        before = await page(browser, "/api/notifications", limit=1)
        (first,) = before["results"]
        assert before["unread_count"] == 5
        assert (first["type"], first["target_type"], first["is_read"]) == ("generation_failed", "generation", False)

        read = await browser.patch(f"/api/notifications/{first['id']}/read")
        assert (read.status_code, read.json()["data"]) == (200, {"id": first["id"], "is_read": True})
        unread = await page(browser, "/api/notifications", unread_only="true")
        assert (len(unread["results"]), unread["unread_count"]) == (4, 4)
        async with service.browser(await world.user("zoe")) as stranger:
            denied = await stranger.patch(f"/api/notifications/{unread['results'][0]['id']}/read")
            assert (denied.status_code, denied.json()["error"]["code"]) == (404, "NOTIFICATION_NOT_FOUND")

        assert (await browser.post("/api/notifications/read-all")).json()["data"] == {"updated_count": 4}
        assert (await browser.post("/api/notifications/read-all")).json()["data"] == {"updated_count": 0}
        after = await page(browser, "/api/notifications")
        assert (len(after["results"]), after["unread_count"]) == (5, 0)
