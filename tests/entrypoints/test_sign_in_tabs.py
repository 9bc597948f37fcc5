"""Concurrent sign-ins in several tabs of a browser, and repeated or foreign callbacks."""

from datetime import timedelta
from typing import Any

import pytest

from tests.entrypoints.service import FRONTEND, Browser, Service
from tests.entrypoints.test_auth import ANN, begin, come_back, refusal
from tests.support.memory_world import MemoryWorld


def attempts(browser: Browser) -> dict[str, str]:
    """The attempts that a browser keeps."""
    jar = browser.client.cookies.jar
    return {cookie.name: cookie.value or "" for cookie in jar if cookie.name.startswith("sign_in")}


async def begin_tabs(browser: Browser, service: Service, count: int) -> list[dict[str, Any]]:
    """Begin sign-ins in several tabs, each with its own `next` and code; returns the authorization requests."""
    asked = []
    for number in range(count):
        state = await begin(browser, service, f"/api/auth/google/login?next=/{number}")
        service.identity_provider.identities[state] = ANN
        asked.append(service.identity_provider.asked)
        service.world.clock.advance()
    return asked


async def finish(browser: Browser, asked: dict[str, Any]) -> str:
    """Finish in a tab; returns the redirect."""
    location: str = (await come_back(browser, code=asked["state"], state=asked["state"])).headers["location"]
    return location


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_concurrent_sign_ins_of_one_browser_all_finish(
    service: Service, anonymous: Browser, order: tuple[int, ...]
) -> None:
    tabs = await begin_tabs(anonymous, service, 3)
    sessions = []
    for number in order:
        assert await finish(anonymous, tabs[number]) == f"{FRONTEND}/{number}"
        redeemed = service.identity_provider.redeemed
        assert redeemed == {key: tabs[number][key] for key in ("redirect_uri", "nonce", "code_verifier")}
        sessions.append(anonymous.session)
        assert (await anonymous.get("/api/auth/me")).status_code == 200
    assert len(set(sessions)) == 3
    assert attempts(anonymous) == {}


async def test_simultaneous_tabs_have_separate_attempts(service: Service, anonymous: Browser) -> None:
    """Neither knows of the other's cookie."""
    async with service.browser() as other:
        states = [await begin(tab, service) for tab in (anonymous, other)]
        for cookie in other.client.cookies.jar:
            anonymous.client.cookies.jar.set_cookie(cookie)
    for state in states:
        service.identity_provider.identities[state] = ANN
        assert await finish(anonymous, {"state": state}) == f"{FRONTEND}/"


@pytest.mark.parametrize("query", [{"state": "x", "code": "y"}, {"state": "x", "error": "access_denied"}, {}])
async def test_an_unknown_state_ends_no_attempt(service: Service, anonymous: Browser, query: dict[str, str]) -> None:
    [tab] = await begin_tabs(anonymous, service, 1)
    kept = attempts(anonymous)

    assert refusal(await come_back(anonymous, **query)) == "invalid_state"

    assert attempts(anonymous) == kept
    assert await finish(anonymous, tab) == f"{FRONTEND}/0"


async def test_a_refusal_ends_only_its_own_attempt(service: Service, anonymous: Browser) -> None:
    first, second = await begin_tabs(anonymous, service, 2)

    for reason in ("access_denied", "invalid_state"):
        assert refusal(await come_back(anonymous, state=first["state"], error="access_denied")) == reason
    assert await finish(anonymous, second) == f"{FRONTEND}/1"


async def test_a_repeated_callback_with_a_session_redirects_to_the_frontend(
    service: Service, anonymous: Browser
) -> None:
    [tab] = await begin_tabs(anonymous, service, 1)
    await finish(anonymous, tab)
    session, redeemed = anonymous.session, service.identity_provider.redeemed

    for query in ({"code": tab["state"], "state": tab["state"]}, {"state": "x", "code": "y"}):
        response = await come_back(anonymous, **query)
        assert response.headers["location"] == f"{FRONTEND}/"
        assert "set-cookie" not in response.headers

    assert anonymous.session == session
    assert service.identity_provider.redeemed is redeemed
    assert (await anonymous.get("/api/auth/me")).status_code == 200
    await anonymous.client.post("/api/auth/logout", headers={"X-CSRFToken": anonymous.client.cookies["csrftoken"]})
    assert refusal(await come_back(anonymous, code=tab["state"], state=tab["state"])) == "invalid_state"


async def test_a_callback_with_an_ended_session_is_refused(service: Service, anonymous: Browser) -> None:
    anonymous.client.cookies.set("sessionid", "of-long-ago", domain="api.example.com", path="/")
    location = (await come_back(anonymous, state="x", code="y")).headers["location"]
    assert location == f"{FRONTEND}/login?error=invalid_state"


async def test_a_browser_keeps_the_latest_five_attempts(service: Service, anonymous: Browser) -> None:
    tabs = await begin_tabs(anonymous, service, 7)

    assert len(attempts(anonymous)) == 5
    for tab in tabs[:2]:
        assert "error=invalid_state" in await finish(anonymous, tab)
    for number in (6, 2, 3, 4, 5):
        assert await finish(anonymous, tabs[number]) == f"{FRONTEND}/{number}"


@pytest.mark.parametrize("letter", ["a", "수", '"', "😀"])
async def test_attempts_fit_into_cookies_and_headers(service: Service, anonymous: Browser, letter: str) -> None:
    lengths = range(1980, 2020, 3)
    for length in lengths:
        long = "/" + letter * (length // len(letter.replace('"', "xx").encode()))
        response = await anonymous.get("/api/auth/google/login", params={"next": long})
        assert all(len(header) < 4096 for header in response.headers.get_list("set-cookie"))
        assert sum(map(len, attempts(anonymous).values())) <= 6000
        service.world.clock.advance()
    state = service.identity_provider.asked["state"]
    service.identity_provider.identities[state] = ANN
    assert await finish(anonymous, {"state": state}) == f"{FRONTEND}/"  # too long to be kept


async def test_expired_attempts_are_removed_at_the_next_sign_in(
    service: Service, anonymous: Browser, world: MemoryWorld
) -> None:
    await begin_tabs(anonymous, service, 1)
    [expired] = attempts(anonymous)
    world.clock.advance(timedelta(minutes=10))
    foreign = f"sign_in_{'0' * 16}"
    anonymous.client.cookies.set(foreign, "garbage", domain="api.example.com", path="/api/auth/google")

    await begin(anonymous, service)

    assert len(attempts(anonymous)) == 1
    assert not {expired, foreign} & attempts(anonymous).keys()


async def test_foreign_cookies_are_kept(service: Service, anonymous: Browser) -> None:
    odd = 'sign_in_"(): 1; sign_in_ü=2; sign_in_=3; sign_in_0123456789abcdef0=4; sign_in=5'
    response = await anonymous.get("/api/auth/google/login", headers={"Cookie": odd.encode()})
    assert response.status_code == 302
    assert len(response.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize("state", ["%EF%BF%BD", "%20", "s" * 5000])
async def test_an_unusual_state_is_refused(anonymous: Browser, state: str) -> None:
    response = await anonymous.get(f"/api/auth/google/callback?code=a&state={state}")
    assert refusal(response) == "invalid_state"
