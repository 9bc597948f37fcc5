import pytest

from tests.entrypoints.service import Browser, Service
from tests.support.memory_world import MemoryWorld


async def test_following_and_unfollowing_return_the_count(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia"), await world.user("ann")
    async with service.browser(ann) as browser:
        followed = await browser.post(f"/api/users/{mia.id}/follow")
        assert (followed.status_code, followed.json()["data"]) == (200, {"following": True, "follower_count": 1})
        again = await browser.post(f"/api/users/{mia.id}/follow")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "DUPLICATE_FOLLOW")
        (listed,) = (await browser.get("/api/users/me/following")).json()["data"]["results"]
        assert listed == {
            "id": mia.id,
            "username": "mia",
            "profile_image": None,
            "images": None,
            "artist_name": "Mia",
            "role": "artist",
            "follower_count": 1,
            "followed_at": listed["followed_at"],
        }
        for _ in range(2):
            assert (await browser.delete(f"/api/users/{mia.id}/follow")).status_code == 204
        assert (await browser.get("/api/users/me/following")).json()["data"]["results"] == []
        assert not (await browser.get(f"/api/users/{mia.id}")).json()["data"]["is_following"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_unknown_user_cannot_be_followed(service: Service, world: MemoryWorld, method: str) -> None:
    async with service.browser(await world.user("ann")) as browser:
        answer = await browser.call(method, "/api/users/999/follow")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "USER_NOT_FOUND")


async def test_following_oneself_is_refused_in_both_languages(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as browser:
        path = f"/api/users/{ann.id}/follow"
        english = await browser.post(path)
        korean = await browser.post(path, headers={"Accept-Language": "ko"})
    assert english.status_code == korean.status_code == 400
    assert english.json()["error"]["code"] == korean.json()["error"]["code"] == "SELF_FOLLOW_NOT_ALLOWED"
    assert korean.json()["error"]["message"] == "자기 자신은 팔로우할 수 없습니다."


async def test_the_feed_shows_followed_users_only(service: Service, world: MemoryWorld, anonymous: Browser) -> None:
    mia, ann, zoe = (
        await world.artist("mia", tokens=100),
        await world.user("ann"),
        await world.artist("zoe", tokens=100),
    )
    style = await world.style(mia)
    image, _ = await world.image(mia, style, public=True), await world.image(zoe, style, public=True)
    await world.follow(ann, mia)
    async with service.browser(ann) as browser:
        shown = (await browser.get("/api/generations/feed?following=true")).json()["data"]["results"]
        assert [item["id"] for item in shown] == [image.id]
        assert len((await browser.get("/api/generations/feed?following=false")).json()["data"]["results"]) == 2
    refused = await anonymous.get("/api/generations/feed?following=true")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_liking_and_unliking_return_the_count(service: Service, world: MemoryWorld) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann")
    style = await world.style(mia)
    image, private = await world.image(mia, style, public=True), await world.image(mia, style)
    async with service.browser(ann) as browser:
        liked = await browser.post(f"/api/generations/{image.id}/like")
        assert (liked.status_code, liked.json()["data"]) == (200, {"liked": True, "like_count": 1})
        again = await browser.post(f"/api/generations/{image.id}/like", headers={"Accept-Language": "ko"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "DUPLICATE_LIKE")
        assert again.json()["error"]["message"] == "이미 좋아요를 누른 이미지입니다."
        shown = (await browser.get("/api/generations/feed")).json()["data"]["results"]
        assert [(item["like_count"], item["is_liked"]) for item in shown] == [(1, True)]
        for _ in range(2):
            assert (await browser.delete(f"/api/generations/{image.id}/like")).status_code == 204
        for method in ("POST", "DELETE"):
            hidden = await browser.call(method, f"/api/generations/{private.id}/like")
            assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "GENERATION_NOT_FOUND")
    async with service.browser(mia) as browser:
        (notification,) = (await browser.get("/api/notifications")).json()["data"]["results"]
    assert (notification["type"], notification["actor"]["username"], notification["target"]["name"]) == (
        "like",
        "ann",
        "Ink",
    )


async def test_comments_are_created_listed_edited_and_deleted(
    service: Service, world: MemoryWorld, anonymous: Browser
) -> None:
    mia, ann = await world.artist("mia", tokens=100), await world.user("ann")
    image = await world.image(mia, await world.style(mia), public=True)
    path = f"/api/generations/{image.id}/comments"
    async with service.browser(ann) as browser, service.browser(mia) as other:
        posted = await browser.post(path, json={"content": "Nice"})
        comment = posted.json()["data"]
        assert (posted.status_code, posted.headers["location"]) == (201, f"/api/comments/{comment['id']}")
        assert comment["user"] == {"id": ann.id, "username": "ann", "profile_image": None, "images": None}
        assert (comment["content"], comment["parent_id"], comment["reply_count"]) == ("Nice", None, 0)
        reply = (await other.post(path, json={"content": "Thanks", "parent_id": comment["id"]})).json()["data"]
        assert reply["parent_id"] == comment["id"]

        deep = await browser.post(
            path, json={"content": "Deeper", "parent_id": reply["id"]}, headers={"Accept-Language": "ko"}
        )
        assert (deep.status_code, deep.json()["error"]["code"]) == (422, "REPLY_DEPTH_EXCEEDED")
        assert deep.json()["error"]["message"] == "답글에는 답글을 달 수 없습니다."
        blank = await browser.post(path, json={"content": " "})
        assert (blank.status_code, list(blank.json()["error"]["details"])) == (422, ["content"])

        (shown,) = (await anonymous.get(path)).json()["data"]["results"]
        assert (shown["id"], [one["id"] for one in shown["replies"]]) == (comment["id"], [reply["id"]])
        (answer,) = (await anonymous.get(f"/api/comments/{comment['id']}/replies")).json()["data"]["results"]
        assert answer == shown["replies"][0]
        assert (await anonymous.get(f"/api/comments/{comment['id']}")).json()["data"] == shown

        for method, body in [("PATCH", {"json": {"content": "Hers"}}), ("DELETE", {})]:
            refused = await other.call(method, f"/api/comments/{comment['id']}", **body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
        edited = await browser.patch(f"/api/comments/{comment['id']}", json={"content": "Very nice"})
        assert (edited.status_code, edited.json()["data"]["content"]) == (200, "Very nice")
        assert (await browser.delete(f"/api/comments/{comment['id']}")).status_code == 204
        gone = await browser.delete(f"/api/comments/{comment['id']}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "COMMENT_NOT_FOUND")
        assert (await anonymous.get(path)).json()["data"]["results"] == []
        (notification,) = (await other.get("/api/notifications")).json()["data"]["results"]
    assert (notification["type"], notification["metadata"]) == (
        "comment",
        {"comment_id": comment["id"], "parent_id": None},
    )
