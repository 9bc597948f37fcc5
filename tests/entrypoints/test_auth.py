import hashlib
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from core.ports.identity_provider import Identity
from tests.entrypoints.service import API, FRONTEND, Browser, Service
from tests.support.memory_world import MemoryWorld

ANN = Identity("google", "subject-1", "ann@example.com", "Ann", "https://pictures.example/ann.png")


def cookies(response: httpx.Response) -> SimpleCookie:
    jar = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        jar.load(header)
    return jar


def attempt_of(jar: SimpleCookie) -> Morsel[str]:
    """The one cookie of an attempt among those that are set."""
    [attempt] = [morsel for name, morsel in jar.items() if name.removeprefix("__Host-").startswith("sign_in_")]
    return attempt


async def begin(browser: Browser, service: Service, path: str = "/api/auth/google/login") -> str:
    """Begin to sign in; answer the state that the provider was given."""
    response = await browser.get(path)
    assert response.status_code == 302
    assert response.headers["location"].startswith("https://accounts.example/authorize")
    state: str = service.identity_provider.asked["state"]
    return state


async def come_back(browser: Browser, **query: str) -> httpx.Response:
    response = await browser.get("/api/auth/google/callback", params=query)
    assert response.status_code == 302
    return response


async def sign_in(browser: Browser, service: Service, identity: Identity = ANN) -> httpx.Response:
    service.identity_provider.identities["a-code"] = identity
    return await come_back(browser, code="a-code", state=await begin(browser, service))


def refusal(response: httpx.Response) -> str:
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{FRONTEND}/login"
    assert "sessionid" not in cookies(response)
    return parse_qs(location.query)["error"][0]


async def test_sign_in_redirects_to_the_provider_and_the_frontend(service: Service, anonymous: Browser) -> None:
    response = await sign_in(anonymous, service)

    assert response.headers["location"] == f"{FRONTEND}/"
    me = (await anonymous.get("/api/auth/me")).json()["data"]
    assert (me["username"], me["email"], me["token_balance"]) == ("ann", "ann@example.com", 100)
    assert me["artist"] is None


async def test_the_authorization_request_matches_the_code_exchange(service: Service, anonymous: Browser) -> None:
    await sign_in(anonymous, service)

    asked, redeemed = service.identity_provider.asked, service.identity_provider.redeemed
    assert asked["redirect_uri"] == f"{API}/api/auth/google/callback"
    assert redeemed == {key: asked[key] for key in ("redirect_uri", "nonce", "code_verifier")}
    assert len({asked["state"], asked["nonce"], asked["code_verifier"]}) == 3


@pytest.mark.parametrize(
    ("own", "host", "redirected"),
    [
        ("http://127.0.0.1:8000", "localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000", "[::1]:8000", "http://[::1]:8000"),
        ("http://127.0.0.1:8000", "evil.example", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "localhost.evil.example:8000", "http://127.0.0.1:8000"),
        (API, "localhost:8000", API),
        (API, "evil.example", API),
    ],
)
async def test_sign_in_returns_to_the_loopback_name_used(
    world: MemoryWorld, own: str, host: str, redirected: str
) -> None:
    service = Service(world, api_base_url=own)
    async with service.browser() as browser:
        await browser.get("/api/auth/google/login", headers={"Host": host})
    assert service.identity_provider.asked["redirect_uri"] == f"{redirected}/api/auth/google/callback"


async def test_the_login_hint_is_passed_on(service: Service, anonymous: Browser) -> None:
    await begin(anonymous, service, "/api/auth/google/login?login_hint=ann@example.com")
    assert service.identity_provider.asked["login_hint"] == "ann@example.com"


async def test_the_attempt_cookie_is_http_only_and_short_lived(service: Service, anonymous: Browser) -> None:
    cookie = attempt_of(cookies(await anonymous.get("/api/auth/google/login")))
    assert cookie["path"] == "/api/auth/google"
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "lax", "600")


async def test_the_session_cookie_is_http_only_and_lasts_14_days(service: Service, anonymous: Browser) -> None:
    jar = cookies(await sign_in(anonymous, service))

    session, csrf = jar["sessionid"], jar["csrftoken"]
    assert (session["httponly"], session["samesite"], session["path"]) == (True, "lax", "/")
    assert session["max-age"] == str(14 * 24 * 3600)
    assert not csrf["httponly"]
    assert attempt_of(jar)["max-age"] == "0"


@pytest.mark.parametrize(
    ("changes", "secure", "samesite"),
    [
        ({}, "", "lax"),
        ({"app_env": "production"}, True, "lax"),
        ({"cookie_samesite": "none"}, True, "none"),
    ],
)
async def test_cookies_are_secure_where_required(
    world: MemoryWorld, changes: dict[str, Any], secure: object, samesite: str
) -> None:
    service = Service(world, **changes)
    prefix = "__Host-" if service.settings.production else ""
    async with service.browser() as browser:
        jar = cookies(await sign_in(browser, service))
    names = (f"{prefix}sessionid", f"{prefix}csrftoken")
    assert {(jar[name]["secure"], jar[name]["samesite"]) for name in names} == {(secure, samesite)}
    assert (attempt_of(jar)["secure"], attempt_of(jar)["samesite"]) == (secure, "lax")


async def test_a_session_cookie_of_the_client_is_never_adopted(service: Service, anonymous: Browser) -> None:
    anonymous.client.cookies.set("sessionid", "planted-by-somebody-else", domain="api.example.com", path="/")

    await sign_in(anonymous, service)

    async with service.browser() as planter:
        planter.client.cookies.set("sessionid", "planted-by-somebody-else")
        assert (await planter.get("/api/auth/me")).status_code == 401


async def test_signing_in_again_ends_the_previous_session(service: Service, anonymous: Browser) -> None:
    await sign_in(anonymous, service)
    first = anonymous.session
    await sign_in(anonymous, service)

    assert first
    assert anonymous.session != first
    async with service.browser() as other:
        other.client.cookies.set("sessionid", first)
        assert (await other.get("/api/auth/me")).status_code == 401


async def test_signing_out_revokes_the_session(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        session = browser.session
        response = await browser.post("/api/auth/logout")
        assert response.status_code == 200
        assert response.json() == {"success": True, "data": None}
        assert {cookies(response)[name]["max-age"] for name in ("sessionid", "csrftoken")} == {"0"}

        browser.client.cookies.set("sessionid", session or "")
        assert (await browser.get("/api/auth/me")).status_code == 401


async def test_a_session_expires_after_14_days(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        world.clock.advance(timedelta(days=14) - timedelta(microseconds=1))
        assert (await browser.get("/api/styles")).status_code == 200
        world.clock.advance(timedelta(days=14))
        assert (await browser.get("/api/auth/me")).status_code == 401


async def test_current_user_returns_the_csrf_token_as_header_and_cookie(service: Service, world: MemoryWorld) -> None:
    async with service.browser(await world.user()) as browser:
        browser.client.cookies.delete("csrftoken")
        response = await browser.get("/api/auth/me")
        again = await browser.get("/api/auth/me")
    assert response.headers["x-csrftoken"] == cookies(response)["csrftoken"].value
    assert again.headers["x-csrftoken"] == response.headers["x-csrftoken"]
    assert "set-cookie" not in again.headers


async def test_current_user_of_an_artist(service: Service, world: MemoryWorld) -> None:
    mia = await world.artist()
    async with service.browser(mia) as browser:
        me = (await browser.get("/api/auth/me")).json()["data"]
    assert me["role"] == "artist"
    assert me["artist"]["id"] == mia.id
    assert me["artist"]["earned_token_balance"] == 0


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n//evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/ok\r\nSet-Cookie: sessionid=planted",
        "@evil.example",
        ".evil.example",
        "/" + "x" * 3000,
    ],
)
async def test_next_outside_the_frontend_is_ignored(service: Service, anonymous: Browser, elsewhere: str) -> None:
    service.identity_provider.identities["a-code"] = ANN
    await anonymous.get("/api/auth/google/login", params={"next": elsewhere})
    response = await come_back(anonymous, code="a-code", state=service.identity_provider.asked["state"])
    assert response.headers["location"] == f"{FRONTEND}/"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/styles/3?tab=examples#top", "/styles/3?tab=examples#top"),
        ("/search?q=수채화", "/search?q=%EC%88%98%EC%B1%84%ED%99%94"),
        ("/already%20encoded", "/already%20encoded"),
    ],
)
async def test_next_is_the_destination_after_sign_in(
    service: Service, anonymous: Browser, path: str, location: str
) -> None:
    service.identity_provider.identities["a-code"] = ANN
    await anonymous.get("/api/auth/google/login", params={"next": path})
    response = await come_back(anonymous, code="a-code", state=service.identity_provider.asked["state"])
    assert response.headers["location"] == FRONTEND + location


async def test_another_browser_cannot_finish_a_sign_in(service: Service, anonymous: Browser) -> None:
    service.identity_provider.identities["a-code"] = ANN
    state = await begin(anonymous, service)
    async with service.browser() as victim:
        assert refusal(await come_back(victim, code="a-code", state=state)) == "invalid_state"
        await begin(victim, service)
        assert refusal(await come_back(victim, code="a-code", state=state)) == "invalid_state"


async def test_an_attempt_is_valid_once_and_for_ten_minutes(
    service: Service, anonymous: Browser, world: MemoryWorld
) -> None:
    service.identity_provider.identities["a-code"] = ANN
    state = await begin(anonymous, service)
    await come_back(anonymous, code="a-code", state=state)
    anonymous.client.cookies.delete("sessionid")
    assert refusal(await come_back(anonymous, code="a-code", state=state)) == "invalid_state"

    state = await begin(anonymous, service)
    world.clock.advance(timedelta(minutes=10))
    assert refusal(await come_back(anonymous, code="a-code", state=state)) == "invalid_state"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "<script>"}, "provider_refused"),
        ({}, "provider_refused"),
        ({"code": "made-up"}, "invalid_code"),
    ],
)
async def test_a_refusal_of_the_provider_is_reported(
    service: Service, anonymous: Browser, query: dict[str, str], reason: str
) -> None:
    state = await begin(anonymous, service)
    assert refusal(await come_back(anonymous, state=state, **query)) == reason
    assert (await anonymous.get("/api/auth/me")).status_code == 401


async def test_an_unavailable_provider_is_reported(service: Service, anonymous: Browser) -> None:
    service.identity_provider.refusal = "provider_unavailable"
    assert refusal(await anonymous.get("/api/auth/google/login")) == "provider_unavailable"

    service.identity_provider.refusal = None
    state = await begin(anonymous, service)
    service.identity_provider.refusal = "provider_unavailable"
    assert refusal(await come_back(anonymous, code="a-code", state=state)) == "provider_unavailable"


@pytest.mark.parametrize("cookie", ["", "garbage", "e30.e30", "ü", "."])
async def test_a_forged_attempt_is_refused(service: Service, anonymous: Browser, cookie: str) -> None:
    name = f"sign_in_{hashlib.sha256(b'b').hexdigest()[:16]}"
    response = await anonymous.get(
        "/api/auth/google/callback?code=a&state=b", headers={"Cookie": f"{name}={cookie}".encode()}
    )
    assert refusal(response) == "invalid_state"


async def test_an_attempt_is_bound_to_its_state(service: Service, anonymous: Browser) -> None:
    service.identity_provider.identities["a"] = ANN
    genuine = attempt_of(cookies(await anonymous.get("/api/auth/google/login"))).value
    name = f"sign_in_{hashlib.sha256(b'b').hexdigest()[:16]}"
    async with service.browser() as other:
        response = await other.get("/api/auth/google/callback?code=a&state=b", headers={"Cookie": f"{name}={genuine}"})
    assert refusal(response) == "invalid_state"
