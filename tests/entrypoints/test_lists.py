"""Lists in pages, the same everywhere."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from core.accounts.make_admin import MakeAdmin
from core.accounts.model import User
from core.audit.model import Operator
from core.community.post_comment import NewComment, PostComment
from core.withdrawals.request_withdrawal import RequestWithdrawal
from core.withdrawals.settle_withdrawal import SettleWithdrawal
from entrypoints.http.security.signing import Signers
from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld

OWN_CURSORS = [
    "/api/styles",
    "/api/styles?sort=popular",
    "/api/styles/me",
    "/api/styles/{style}/examples",
    "/api/styles/{other_style}/examples",
    "/api/generations/feed",
    "/api/generations/feed?sort=popular",
    "/api/generations/feed?following=true",
    "/api/generations/feed?following=true&sort=popular",
    "/api/generations/me",
    "/api/generations/{image}/comments",
    "/api/generations/{other_image}/comments",
    "/api/comments/{comment}/replies",
    "/api/comments/{other_comment}/replies",
    "/api/users/me/following",
    "/api/tokens/transactions",
    "/api/tokens/withdrawals",
    "/api/admin/withdrawals",
    "/api/notifications",
    "/api/auth/sessions",
]
"""Each with a cursor that no other takes."""
LISTS = [
    *OWN_CURSORS,
    "/api/styles?tags=ink",
    "/api/styles?artist_id={mia}",
    "/api/generations/feed?tags=woman",
    "/api/generations/feed?user_id={mia}",
    "/api/generations/me?status=completed",
    "/api/generations/me?is_public=true",
    "/api/tokens/transactions?type=generation",
    "/api/admin/withdrawals?status=pending",
    "/api/notifications?unread_only=true",
]


@pytest.fixture
async def mia(service: Service, world: MemoryWorld, anonymous: Browser) -> User:
    """An artist with five of everything."""
    mia = await world.artist(tokens=1000)
    for index in range(5):
        world.clock.advance()
        style = await world.style(mia, f"Style {index}", tags=["ink"])
        await world.image(mia, style, public=True)
        await world.follow(mia, await world.user(f"user-{index}"))
        await service.session_of(mia)
        failing = await world.generation(mia, style)
        body = {"generation_id": failing.id, "error_message": "No", "error_code": "GENERATION_FAILED"}
        headers = service.ai_server("inference-server")
        assert (await anonymous.post("/api/webhooks/inference/failed", json=body, headers=headers)).status_code == 200
    return mia


@pytest.fixture
async def things(world: MemoryWorld, mia: User) -> dict[str, Any]:
    """More by others, and what LISTS name: a popular order is another one than that of the newest."""
    zoe, ben = await world.artist("zoe", tokens=1000), await world.user("ben")
    styles = [await world.style(zoe, name) for name in ("Oil", "Chalk")]
    images = []
    for _ in range(3):
        images += [await world.image(zoe, style, public=True) for style in styles]
        world.clock.advance()
    for follower, artist in ((mia, zoe), (ben, mia), (zoe, mia)):
        await world.follow(follower, artist)
    for person, image in ((mia, images[0]), (ben, images[0]), (zoe, images[2])):
        await world.like(person, image)
    comments = []
    for image in images[:2]:
        for _ in range(5):
            comments.append(await world.use_case(PostComment)(ben.id, image.id, NewComment("Nice")))
            world.clock.advance()
        for _ in range(5):
            await world.use_case(PostComment)(mia.id, image.id, NewComment("Thanks", parent_id=comments[-1]))
    for amount in range(1, 6):
        await world.earn(mia, amount)
        requested = await world.use_case(RequestWithdrawal)(mia.id, amount)
        if amount < 5:
            await world.use_case(SettleWithdrawal)(Operator(ben.id), requested.id)
    for name in ("max", "mo", "moe"):
        artist = await world.artist(name)
        await world.earn(artist)
        await world.use_case(RequestWithdrawal)(artist.id, 1)
    await world.use_case(MakeAdmin)(Operator(None), mia.id)
    [style, other_style], [image, other_image, *_] = styles, images
    return {
        **{"mia": mia.id, "style": style.id, "other_style": other_style.id},
        **{"image": image.id, "other_image": other_image.id, "comment": comments[4], "other_comment": comments[9]},
    }


def place(path: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What rows are sorted by, descending."""
    rank = row["like_count"] if "feed" in path and "sort=popular" in path else 0
    if path == "/api/styles?sort=popular":
        rank = {"Mia": 2, "Zoe": 1}.get(row["artist"]["artist_name"], 0)  # followers
    return rank, row.get("followed_at") or row["created_at"], row["id"]


def with_query(path: str, **query: Any) -> str:
    parts = [path.partition("?")[2], *(f"{name}={value}" for name, value in query.items())]
    return f"{path.partition('?')[0]}?{'&'.join(part for part in parts if part)}"


async def page(browser: Browser, path: str, **query: Any) -> dict[str, Any]:
    response = await browser.get(with_query(path, **query))
    assert response.status_code == 200
    data: dict[str, Any] = response.json()["data"]
    return data


def test_every_list_is_covered(service: Service) -> None:
    lists = {
        re.sub(r"{.+?}", "{}", path)
        for path, operations in service.contract.document["paths"].items()
        if any(parameter["name"] == "cursor" for parameter in operations.get("get", {}).get("parameters", []))
    }
    assert {re.sub(r"{.+?}", "{}", path.partition("?")[0]) for path in LISTS} == lists


@pytest.mark.parametrize("path", LISTS)
async def test_pages_together_are_the_list(service: Service, mia: User, things: dict[str, Any], path: str) -> None:
    path = path.format(**things)
    async with service.browser(mia) as browser:
        whole = await page(browser, path, limit=100)
        assert (whole["next_cursor"], whole["has_more"]) == (None, False)
        gathered, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            part = await page(browser, path, limit=2, **({"cursor": cursor} if cursor else {}))
            assert len(part["results"]) <= 2
            assert part["has_more"] is (part["next_cursor"] is not None)
            gathered += part["results"]
            cursor, pages = part["next_cursor"], pages + 1
    assert pages >= 2
    assert gathered == whole["results"]
    places = [place(path, row) for row in gathered]
    assert places == sorted(places, reverse="replies" not in path)


async def test_an_empty_list_is_not_null(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    async with service.browser(await world.use_case(MakeAdmin)(Operator(None), mia.id)) as browser:
        for path in LISTS:
            if "{" in path or path == "/api/auth/sessions":  # there is the one that asks
                continue
            assert await page(browser, path, limit=100) | {"unread_count": 0} == {
                "results": [],
                "next_cursor": None,
                "has_more": False,
                "unread_count": 0,
            }


async def test_a_cursor_is_bound_to_its_list(service: Service, mia: User, things: dict[str, Any]) -> None:
    paths = [path.format(**things) for path in OWN_CURSORS]
    async with service.browser(mia) as browser:
        cursors = {path: (await page(browser, path, limit=1))["next_cursor"] for path in paths}
        for path in paths:
            for other in paths:
                response = await browser.get(with_query(path, cursor=cursors[other]))
                assert response.status_code == (200 if path == other else 422), (path, other)


@pytest.mark.parametrize("path", LISTS)
async def test_a_forged_cursor_is_refused(service: Service, mia: User, things: dict[str, Any], path: str) -> None:
    path = path.format(**things)
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
            given = [tuple(part.split("=")) for part in query.split("&") if part]
            response = await browser.get(address, params=[*given, ("cursor", made_up)])
            assert (response.status_code, list(response.json()["error"]["details"])) == (422, ["cursor"])


async def test_transactions_are_filtered_by_type(service: Service, mia: User) -> None:
    async with service.browser(mia) as browser:
        everything = (await page(browser, "/api/tokens/transactions", limit=100))["results"]
        generations = (await page(browser, "/api/tokens/transactions", type="generation", limit=100))["results"]
        refunded = (await page(browser, "/api/tokens/transactions", type="refund", limit=100))["results"]
        assert (await page(browser, "/api/tokens/transactions", type="purchase"))["results"] == []
        assert (await browser.get("/api/tokens/transactions?type=gift")).status_code == 422
    assert {line["type"] for line in everything} == {"bonus", "generation"}
    assert {line["type"] for line in generations} == {"generation"}
    assert [(line["status"], line["refunded"]) for line in refunded] == [("failed", True)] * 5


async def test_notifications_are_marked_as_read_singly_or_all(service: Service, world: MemoryWorld, mia: User) -> None:
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
