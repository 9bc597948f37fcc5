"""One's own sessions: listed, revoked, renewed, and notified when they are new."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.accounts.model import SESSION_LIFETIME
from core.ports.active_sessions import SEEN_INTERVAL
from core.ports.identity_provider import Identity
from tests.entrypoints.service import Browser, Service
from tests.entrypoints.stream_client import streaming
from tests.entrypoints.test_auth import ANN, cookies, sign_in
from tests.support.memory_world import MemoryWorld

BEN = Identity("google", "subject-2", "ben@example.com", "Ben", None)


async def sessions(browser: Browser) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = (await browser.get("/api/auth/sessions")).json()["data"]["results"]
    return results


async def test_sessions_are_listed_with_the_current_one_marked(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as phone, service.browser(ann) as laptop:
        assert sorted((each["id"], each["current"]) for each in await sessions(phone)) == [(1, True), (2, False)]
        [own] = [each for each in await sessions(laptop) if each["current"]]
    assert own.keys() == {"id", "created_at", "last_seen_at", "expires_at", "user_agent", "current"}


async def test_a_revoked_session_is_signed_out_and_its_streams_end(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as phone, service.browser(ann) as laptop:
        [other] = [each for each in await sessions(phone) if not each["current"]]
        async with streaming(service.app, "/api/notifications/events", session=laptop.session) as stream:
            response = await phone.delete(f"/api/auth/sessions/{other['id']}")
            await stream.end()
        assert (response.status_code, response.headers.get("set-cookie")) == (204, None)
        assert (await laptop.get("/api/auth/me")).status_code == 401
        assert (await phone.get("/api/auth/me")).status_code == 200


async def test_revoking_the_current_session_signs_out(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        [own] = await sessions(browser)
        response = await browser.delete(f"/api/auth/sessions/{own['id']}")
        assert cookies(response)["sessionid"]["max-age"] == "0"
        assert (await browser.get("/api/auth/me")).status_code == 401


async def test_all_other_sessions_are_revoked(service: Service, world: MemoryWorld) -> None:
    ann = await world.user("ann")
    async with service.browser(ann) as phone, service.browser(ann) as laptop, service.browser(ann) as lost:
        async with streaming(service.app, "/api/notifications/events", session=lost.session) as stream:
            assert (await phone.delete("/api/auth/sessions")).status_code == 204
            await stream.end()
        answers = [(await browser.get("/api/auth/me")).status_code for browser in (phone, laptop, lost)]
    assert answers == [200, 401, 401]


async def test_a_session_in_use_is_renewed(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        for _ in range(3):
            world.clock.advance(SESSION_LIFETIME - timedelta(seconds=1))
            response = await browser.get("/api/tokens/balance")
            assert response.status_code == 200
            renewed = cookies(response)
            assert (renewed["sessionid"].value, renewed["csrftoken"].value) == (browser.session, browser.csrf)
            assert renewed["sessionid"]["max-age"] == str(14 * 24 * 3600)
        world.clock.advance(SESSION_LIFETIME)
        assert (await browser.get("/api/tokens/balance")).status_code == 401


async def test_a_session_is_renewed_at_most_hourly(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        world.clock.advance(SEEN_INTERVAL - timedelta(seconds=1))
        assert "set-cookie" not in (await browser.get("/api/tokens/balance")).headers
        world.clock.advance(timedelta(seconds=1))
        assert "set-cookie" in (await browser.get("/api/tokens/balance")).headers
        assert "set-cookie" not in (await browser.get("/api/tokens/balance")).headers
        [own] = await sessions(browser)
    assert own["last_seen_at"] == world.clock.now().isoformat().replace("+00:00", "Z")


async def test_signing_out_takes_precedence_over_a_renewal(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        world.clock.advance(SEEN_INTERVAL)
        response = await browser.post("/api/auth/logout")
    assert [header.partition("=")[0] for header in response.headers.get_list("set-cookie")] == [
        "sessionid",
        "csrftoken",
    ]
    assert cookies(response)["sessionid"]["max-age"] == "0"


async def test_a_call_with_an_idempotency_key_renews_the_session(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user("ann")) as browser:
        world.clock.advance(SEEN_INTERVAL)
        buy = {"json": {"package_id": "basic_100"}, "headers": {"Idempotency-Key": "one"}}
        first = await browser.post("/api/tokens/purchase", **buy)
        again = await browser.post("/api/tokens/purchase", **buy)
    assert (first.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert "set-cookie" in first.headers
    assert "set-cookie" not in again.headers


# --- cookies ----------------------------------------------------------------------------------------------------------


async def cookie_sent(service: Service, header: str) -> httpx.Response:
    async with service.browser() as browser:
        return await browser.get("/api/auth/me", headers={"Cookie": header})


async def test_two_session_cookies_are_refused(service: Service, world: MemoryWorld) -> None:
    mine, planted = [await service.session_of(await world.user(name)) for name in ("ann", "eve")]
    assert (await cookie_sent(service, f"sessionid={mine}")).status_code == 200
    for header in (f"sessionid={mine}; sessionid={planted}", f"sessionid={planted};sessionid={mine}"):
        assert (await cookie_sent(service, header)).status_code == 401


@pytest.mark.parametrize("name", ["sessionid", "__Host-SESSIONID", "__Secure-sessionid"])
async def test_production_accepts_only_the_host_prefixed_cookie(world: MemoryWorld, name: str) -> None:
    service = Service(world, app_env="production")
    session = await service.session_of(await world.user("ann"))
    assert (await cookie_sent(service, f"__Host-sessionid={session}")).status_code == 200
    assert (await cookie_sent(service, f"{name}={session}")).status_code == 401


async def test_production_cookies_have_the_host_prefix(world: MemoryWorld) -> None:
    service = Service(world, app_env="production")
    async with service.browser() as browser:
        begun = cookies(await browser.get("/api/auth/google/login"))
        jar = cookies(await sign_in(browser, service))
    assert {*begun, *jar} == {name for name in (*begun, *jar) if name.startswith("__Host-")}
    assert {(each["path"], each["domain"], each["secure"]) for each in (*begun.values(), *jar.values())} == {
        ("/", "", True)
    }


async def test_a_repeated_attempt_cookie_is_refused(service: Service, anonymous: Browser) -> None:
    service.identity_provider.identities["a-code"] = ANN
    [(name, attempt)] = cookies(await anonymous.get("/api/auth/google/login")).items()
    state = service.identity_provider.asked["state"]
    anonymous.client.cookies.clear()
    header = f"{name}={attempt.value}; {name}={attempt.value}"
    response = await anonymous.get(
        "/api/auth/google/callback", params={"code": "a-code", "state": state}, headers={"Cookie": header}
    )
    assert response.headers["location"].endswith("error=invalid_state")


# --- a new sign-in is notified ----------------------------------------------------------------------------------------


async def notifications(browser: Browser) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = (await browser.get("/api/notifications")).json()["data"]["results"]
    return [each for each in results if each["type"] == "new_sign_in"]


async def test_a_sign_in_from_another_browser_is_notified_once(service: Service) -> None:
    async with service.browser() as phone, service.browser() as laptop:
        await sign_in(phone, service)
        assert await notifications(phone) == []
        laptop.client.headers["User-Agent"] = "A laptop"
        for _ in range(2):
            await sign_in(laptop, service)
        [notice] = await notifications(phone)
        assert (notice["target_type"], notice["target"], notice["actor"]) == ("session", None, None)
        assert notice["metadata"] == {"user_agent": "A laptop"}


async def test_the_session_that_a_notification_names_can_be_revoked(service: Service) -> None:
    async with service.browser() as phone, service.browser() as thief:
        await sign_in(phone, service)
        phone.csrf = phone.client.cookies["csrftoken"]
        await sign_in(thief, service)
        [notice] = await notifications(phone)
        assert (await phone.delete(f"/api/auth/sessions/{notice['target_id']}")).status_code == 204
        assert (await thief.get("/api/auth/me")).status_code == 401


async def test_a_browser_can_be_known_to_two_users(service: Service) -> None:
    async with service.browser() as browser:
        for identity in (ANN, BEN, ANN, BEN, ANN):
            await sign_in(browser, service, identity)
            assert await notifications(browser) == []
            browser.client.cookies.delete("sessionid")


@pytest.mark.parametrize("forged", ["", "nonsense", "WzFd.c2lnbmF0dXJl"])
async def test_a_forged_browser_cookie_is_not_known(service: Service, forged: str) -> None:
    async with service.browser() as phone, service.browser() as thief:
        await sign_in(phone, service)
        thief.client.cookies.set("browser", forged, domain="api.example.com", path="/api/auth/google")
        await sign_in(thief, service)
        assert len(await notifications(phone)) == 1


async def test_a_browser_cookie_of_another_version_is_ignored(service: Service) -> None:
    from entrypoints.http.state import state_of

    sealed = state_of(service.app).signers.browser.seal(b'{"users": [1]}')
    async with service.browser() as phone, service.browser() as other:
        await sign_in(phone, service)
        other.client.cookies.set("browser", sealed, domain="api.example.com", path="/api/auth/google")
        await sign_in(other, service)
        assert len(await notifications(phone)) == 1
